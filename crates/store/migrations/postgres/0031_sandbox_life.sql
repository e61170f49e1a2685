-- A sandbox of a run, or one that somebody made for its own sake. Written by orchestrator only.
alter table sandboxes alter column run_id drop not null; -- the run that it serves, where it serves one
alter table sandboxes add column key text; -- the caller's idempotency key
alter table sandboxes add column request_hash text; -- hash of what was asked for with that key
alter table sandboxes add column name text not null default ''; -- for people
alter table sandboxes add column metadata text not null default '{}'; -- the caller's own names and values, JSON
alter table sandboxes add column template text not null default 'host'; -- what it is made from
alter table sandboxes add column template_version bigint not null default 1; -- which version of that
alter table sandboxes add column wish text not null default '{}'; -- how it is made again after a rest, JSON
alter table sandboxes add column started_at_ms bigint; -- when its processes were last started, Unix milliseconds
alter table sandboxes add column ends_at_ms bigint; -- when its time is up, Unix milliseconds; null: no end
alter table sandboxes add column active_at_ms bigint; -- when somebody last used it, Unix milliseconds
alter table sandboxes add column node text not null default ''; -- the data folder whose owner holds it; '' is the only one
drop index sandboxes_by_state;
create index sandboxes_by_state on sandboxes (node, state);
create unique index sandboxes_by_key on sandboxes (org_id, key) where key is not null;

-- What sandboxes are made from. A version never changes.
create table templates (
    org_id text not null, -- the tenant
    name text not null, -- lower case, for people and programs
    version bigint not null, -- 1, 2, 3 …
    body text not null, -- start command, readiness, environment, resources …, JSON
    root text, -- the folder of its file tree below the data folder's templates; null where it is the host's
    digest text not null default '', -- of what it was made from
    size_bytes bigint not null default 0, -- of its file tree
    created_by text not null default '', -- who added it
    created_at_ms bigint not null, -- Unix milliseconds
    primary key (org_id, name, version)
);

-- The files of a sandbox as they were at one moment.
create table snapshots (
    org_id text not null, -- the tenant
    id text not null, -- snp<32 hex>
    sandbox_id text not null, -- whose files they are
    name text not null default '', -- for people
    kind text not null, -- 'layers' on this machine's disk, 'archive' in the blobs
    body text not null, -- layers, or blob and checksum, and how a sandbox is made from it, JSON
    size_bytes bigint not null default 0, -- what it takes
    created_at_ms bigint not null, -- Unix milliseconds
    expires_at_ms bigint, -- when it may be removed, Unix milliseconds; null where never
    primary key (org_id, id)
);
create index snapshots_by_sandbox on snapshots (org_id, sandbox_id, created_at_ms);
create index snapshots_by_end on snapshots (expires_at_ms) where expires_at_ms is not null;
