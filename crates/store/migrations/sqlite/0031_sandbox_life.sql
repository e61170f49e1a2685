-- A sandbox of a run, or one that somebody made for its own sake. Written by orchestrator only.
create table sandboxes_31 (
    org_id text not null, -- the tenant
    id text not null, -- sbx<32 hex>; the label of everything that it has on a host
    run_id text, -- the run that it serves, where it serves one
    key text, -- the caller's idempotency key
    request_hash text, -- hash of what was asked for with that key
    name text not null default '', -- for people
    metadata text not null default '{}', -- the caller's own names and values, JSON
    template text not null default 'host', -- what it is made from
    template_version integer not null default 1, -- which version of that
    wish text not null default '{}', -- how it is made again after a rest, JSON
    provider text not null, -- native, fake
    node text not null default '', -- the data folder whose owner holds it; '' is the only one
    state text not null, -- the state's machine name
    state_body text not null, -- the whole state, JSON
    started_at_ms integer, -- when its processes were last started, Unix milliseconds
    ends_at_ms integer, -- when its time is up, Unix milliseconds; null where it has no end
    active_at_ms integer, -- when somebody last used it, Unix milliseconds
    created_at_ms integer not null, -- Unix milliseconds
    changed_at_ms integer not null, -- Unix milliseconds
    primary key (org_id, id)
) strict;
insert into sandboxes_31 (org_id, id, run_id, provider, state, state_body, created_at_ms, changed_at_ms)
    select org_id, id, run_id, provider, state, state_body, created_at_ms, changed_at_ms from sandboxes;
drop table sandboxes;
alter table sandboxes_31 rename to sandboxes;
create index sandboxes_by_state on sandboxes (node, state);
create unique index sandboxes_by_key on sandboxes (org_id, key) where key is not null;

-- What sandboxes are made from. A version never changes.
create table templates (
    org_id text not null, -- the tenant
    name text not null, -- lower case, for people and programs
    version integer not null, -- 1, 2, 3 …
    body text not null, -- start command, readiness, environment, resources …, JSON
    root text, -- the folder of its file tree below the data folder's templates; null where it is the host's
    digest text not null default '', -- of what it was made from
    size_bytes integer not null default 0, -- of its file tree
    created_by text not null default '', -- who added it
    created_at_ms integer not null, -- Unix milliseconds
    primary key (org_id, name, version)
) strict;

-- The files of a sandbox as they were at one moment.
create table snapshots (
    org_id text not null, -- the tenant
    id text not null, -- snp<32 hex>
    sandbox_id text not null, -- whose files they are
    name text not null default '', -- for people
    kind text not null, -- 'layers' on this machine's disk, 'archive' in the blobs
    body text not null, -- layers, or blob and checksum, and how a sandbox is made from it, JSON
    size_bytes integer not null default 0, -- what it takes
    created_at_ms integer not null, -- Unix milliseconds
    expires_at_ms integer, -- when it may be removed, Unix milliseconds; null where never
    primary key (org_id, id)
) strict;
create index snapshots_by_sandbox on snapshots (org_id, sandbox_id, created_at_ms);
create index snapshots_by_end on snapshots (expires_at_ms) where expires_at_ms is not null;
