-- Who may look at a port of a sandbox from outside. Written by gateway only.
create table previews (
    org_id text not null, -- the tenant
    id text not null, -- prv<32 hex>
    sandbox_id text not null, -- the sandbox that it is for
    port integer, -- the port inside; null is every port
    access text not null, -- link: whoever has the token; public: everybody
    hash text, -- SHA-256 of the token, hex; null where access is public
    made_by text not null, -- usr<32 hex>
    created_at_ms integer not null, -- Unix milliseconds
    expires_at_ms integer, -- Unix milliseconds; null is never
    revoked_at_ms integer, -- Unix milliseconds; null while it counts
    primary key (org_id, id)
) strict;
create unique index previews_by_hash on previews (hash);
create index previews_by_sandbox on previews (sandbox_id);
create index previews_by_revocation on previews (revoked_at_ms);
