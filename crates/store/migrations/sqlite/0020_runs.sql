-- One run. Its log is the truth; summary is a fold over it, written in the same transaction. Written by runs only.
create table runs (
    org_id text not null, -- the tenant
    id text not null, -- run<32 hex>
    project_id text not null, -- the project
    number integer not null, -- 1, 2, 3 … in the project
    state text not null, -- the state's machine name
    spec text not null, -- what was asked for, JSON
    summary text not null, -- counters and latest values, JSON
    context_window integer not null, -- the model's window in tokens
    last_seq integer not null, -- the position of the last event
    created_at_ms integer not null, -- Unix milliseconds
    changed_at_ms integer not null, -- Unix milliseconds
    primary key (org_id, id)
) strict;
create unique index runs_by_number on runs (org_id, project_id, number);
create index runs_by_creation on runs (org_id, created_at_ms, id);

-- What waits for a person.
create table questions (
    org_id text not null, -- the tenant
    id text not null, -- qst<32 hex>
    run_id text not null, -- the run that asks
    state text not null, -- open, answered, void
    body text not null, -- the question, JSON
    answer text, -- the answer, JSON
    answered_by text, -- who
    asked_at_ms integer not null, -- Unix milliseconds
    answered_at_ms integer, -- Unix milliseconds
    primary key (org_id, id)
) strict;
create index questions_by_run on questions (org_id, run_id, asked_at_ms);

-- What people want of a run and its owner has not taken yet.
create table commands (
    org_id text not null, -- the tenant
    run_id text not null, -- the run
    number integer not null, -- 1, 2, 3 … in the run
    said_by text not null, -- who
    wish text not null, -- what, JSON
    created_at_ms integer not null, -- Unix milliseconds
    primary key (org_id, run_id, number)
) strict;

-- What can be downloaded; the bytes are a blob.
create table artifacts (
    org_id text not null, -- the tenant
    id text not null, -- art<32 hex>
    run_id text not null, -- the run that made it
    body text not null, -- the artifact, JSON
    created_at_ms integer not null, -- Unix milliseconds
    primary key (org_id, id)
) strict;
create index artifacts_by_run on artifacts (org_id, run_id, created_at_ms);
