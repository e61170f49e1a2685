-- Keys of model providers, sealed with the master key.
create table provider_keys (
    org_id text not null,           -- tenant
    provider text not null,         -- 'anthropic'
    version integer not null,       -- which writing; part of the seal
    sealed text not null,           -- the sealed key
    base_url text,                  -- the provider's address, where it is not the usual one
    changed_at_ms integer not null, -- when, ms since the Unix epoch
    primary key (org_id, provider)
) strict, without rowid;

-- What a tenant has chosen.
create table settings (
    org_id text not null,           -- tenant
    name text not null,             -- 'default_model', 'price/<model>'
    value text not null,            -- as JSON
    changed_at_ms integer not null, -- when, ms since the Unix epoch
    primary key (org_id, name)
) strict, without rowid;
