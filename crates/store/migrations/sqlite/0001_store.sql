-- Facts about this database itself.
create table meta (
    name text not null primary key, -- what the fact is about: 'epoch'
    value text not null             -- the fact
) strict;

-- The head of each event stream.
create table streams (
    org_id text not null,      -- tenant
    stream text not null,      -- 'run/<id>', 'org/<id>' …
    next_seq integer not null, -- the seq that the next event gets
    primary key (org_id, stream)
) strict, without rowid;

-- The log: what happened, in order, without gaps.
create table events (
    org_id text not null,   -- tenant
    stream text not null,   -- the stream the event belongs to
    seq integer not null,   -- 1, 2, 3 … in its stream
    at_ms integer not null, -- when it was written, ms since the Unix epoch
    kind text not null,     -- what happened: 'turn.answered'
    body text not null,     -- the event's own fields, as JSON
    primary key (org_id, stream, seq)
) strict, without rowid;

-- Who may act for a name, and until when. Rows stay, so that fences only grow.
create table leases (
    name text not null primary key, -- what is owned
    holder text not null,           -- who owns it; '' when nobody does
    fence integer not null,         -- grows with every change of owner
    until_ms integer not null       -- the lease ends here, ms since the Unix epoch
) strict, without rowid;

-- What waits to be worked on. A finished row stays for a while, so that its fence only grows.
create table queue (
    org_id text not null,            -- tenant
    topic text not null,             -- the kind of work: 'runs'
    key text not null,               -- what is to be worked on; one row for each
    priority integer not null,       -- higher goes first
    run_at_ms integer not null,      -- not before, ms since the Unix epoch
    attempts integer not null,       -- how often it was claimed since it was enqueued
    leased_by text,                  -- who works on it
    lease_until_ms integer not null, -- the claim ends here, ms since the Unix epoch; 0 when unclaimed
    fence integer not null,          -- grows with every claim
    payload text not null,           -- what the worker needs to know, often JSON
    created_at_ms integer not null,  -- when it was enqueued, ms since the Unix epoch
    done_at_ms integer,              -- when it was finished, ms since the Unix epoch
    primary key (org_id, topic, key)
) strict, without rowid;
create index queue_waiting on queue (topic, priority desc, run_at_ms, created_at_ms) where done_at_ms is null;

-- Answers to requests that carried an idempotency key.
create table idempotency (
    org_id text not null,           -- tenant
    scope text not null,            -- the kind of request: 'POST /v1/runs'
    key text not null,              -- the caller's key
    request_hash text not null,     -- hash of the request, to tell a repetition from a mistake
    response text not null,         -- the answer that was given
    created_at_ms integer not null, -- when, ms since the Unix epoch
    primary key (org_id, scope, key)
) strict, without rowid;
create index idempotency_age on idempotency (created_at_ms);
