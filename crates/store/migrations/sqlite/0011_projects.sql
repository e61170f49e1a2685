-- What runs work for.
create table projects (
    org_id text not null,             -- tenant
    id text not null,                 -- 'prj…'
    slug text not null,               -- its name in addresses
    name text not null,               -- for people
    path text not null,               -- the repository's folder on this machine
    check_command text,               -- what proves success, where a person has set it
    default_model text,               -- the model for its runs, where a person has set it
    next_run_number integer not null, -- the number that the next run gets
    created_at_ms integer not null,   -- when, ms since the Unix epoch
    primary key (org_id, id),
    unique (org_id, slug),
    unique (org_id, path)
) strict, without rowid;

-- What a project's runs may do without asking again.
create table project_rules (
    org_id text not null,           -- tenant
    project_id text not null,       -- project
    tool text not null,             -- the tool: 'bash'
    target text not null,           -- what it is used on; '*' in it stands for any text
    effect text not null,           -- 'allow', 'ask' or 'refuse'
    by_name text not null,          -- who made the rule
    created_at_ms integer not null, -- when, ms since the Unix epoch
    primary key (org_id, project_id, tool, target)
) strict, without rowid;
