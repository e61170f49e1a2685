-- Tenants.
create table orgs (
    id text not null primary key,   -- 'org…'
    slug text not null unique,      -- short name: 'local' on a machine of one's own
    name text not null,             -- for people
    created_at_ms bigint not null  -- when, ms since the Unix epoch
);

-- People who sign in.
create table users (
    id text not null primary key,   -- 'usr…'
    name text not null,             -- for people
    created_at_ms bigint not null  -- when, ms since the Unix epoch
);

-- Who belongs to which tenant.
create table members (
    org_id text not null,           -- tenant
    user_id text not null,          -- person
    role text not null,             -- 'owner'
    created_at_ms bigint not null, -- when, ms since the Unix epoch
    primary key (org_id, user_id)
);

-- Everything that shows who a caller is. The secret itself is never here.
create table tokens (
    org_id text not null,           -- tenant
    id text not null,               -- 'tok…'
    user_id text not null,          -- whose it is
    kind text not null,             -- 'token', 'e2b', 'login' (a browser's cookie), 'ticket' (single use)
    name text not null,             -- for people
    hash text not null unique,      -- SHA-256 of the secret, hex
    scopes text not null,           -- names separated by spaces; '*' is everything
    created_at_ms bigint not null, -- when, ms since the Unix epoch
    expires_at_ms bigint,          -- not valid from here on, ms since the Unix epoch
    last_used_at_ms bigint,        -- to the minute, ms since the Unix epoch
    revoked_at_ms bigint,          -- when it was revoked or used up, ms since the Unix epoch
    primary key (org_id, id)
);
