-- One sandbox from its request on. Written by orchestrator only.
create table sandboxes (
    org_id text not null, -- the tenant
    id text not null, -- sbx<32 hex>; the label of everything that it has on a host
    run_id text not null, -- the run that it serves
    provider text not null, -- native, fake
    state text not null, -- the state's machine name
    state_body text not null, -- the whole state, JSON
    created_at_ms integer not null, -- Unix milliseconds
    changed_at_ms integer not null, -- Unix milliseconds
    primary key (org_id, id)
) strict;
create index sandboxes_by_state on sandboxes (state);
