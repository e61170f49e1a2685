//! The statements whose text differs between the two databases. Fewer than 20; everything else is one
//! text for both.

/// A statement: one text for both databases, or one for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sql {
    /// What SQLite is given.
    pub sqlite: &'static str,
    /// What Postgres is given.
    pub postgres: &'static str,
}

impl From<&'static str> for Sql {
    fn from(text: &'static str) -> Self {
        Self { sqlite: text, postgres: text }
    }
}

/// Moves the head of a stream on. `$1` org, `$2` stream, `$3` by how many events; gives the seq of the first. For
/// SQLite, where statements cost no journey: [`APPEND_EVENT`] follows for each event.
pub(crate) const APPEND_HEAD: &str = "insert into streams (org_id, stream, next_seq) values ($1, $2, 1 + $3)
    on conflict (org_id, stream) do update set next_seq = next_seq + $3
    returning next_seq - $3";

/// Writes an event below the head. `$1` org, `$2` stream, `$3` seq, `$4` time, `$5` kind, `$6` body.
pub(crate) const APPEND_EVENT: &str =
    "insert into events (org_id, stream, seq, at_ms, kind, body) values ($1, $2, $3, $4, $5, $6)";

/// Both for one event in one journey, for Postgres. `$1` org, `$2` stream, `$3` time, `$4` kind, `$5` body; gives
/// the seq.
pub(crate) const APPEND: &str = "with head as (
        insert into streams as s (org_id, stream, next_seq) values ($1, $2, 2)
        on conflict (org_id, stream) do update set next_seq = s.next_seq + 1
        returning s.next_seq - 1 as seq)
    insert into events (org_id, stream, seq, at_ms, kind, body)
    select $1, $2, head.seq, $3, $4, $5 from head
    returning seq";

/// Both for any number of events in one journey, for Postgres. `$1` org, `$2` stream, `$3` how many, `$4` the
/// events as JSON, each `[time, kind, body]`; gives the seq of the last.
pub(crate) const APPEND_MANY: &str = "with head as (
        insert into streams as s (org_id, stream, next_seq) values ($1, $2, 1 + $3)
        on conflict (org_id, stream) do update set next_seq = s.next_seq + $3
        returning s.next_seq - $3 as first),
    written as (
        insert into events (org_id, stream, seq, at_ms, kind, body)
        select $1, $2, head.first + given.n - 1, cast(given.event->>0 as bigint), given.event->>1, given.event->>2
        from head, json_array_elements(cast($4 as json)) with ordinality as given (event, n)
        returning seq)
    select max(seq) from written";

/// Claims the next item of a topic. `$1` topic, `$2` now, `$3` most claims per org, `$4` holder,
/// `$5` end of the claim; gives org, key, payload, attempts, fence.
pub(crate) const CLAIM: Sql = Sql {
    sqlite: "update queue set leased_by = $4, lease_until_ms = $5, fence = fence + 1, attempts = attempts + 1
        where topic = $1 and (org_id, key) = (
            select q.org_id, q.key from queue q
            where q.topic = $1 and q.done_at_ms is null and q.run_at_ms <= $2 and q.lease_until_ms <= $2
              and (select count(*) from queue o where o.org_id = q.org_id and o.topic = $1
                   and o.done_at_ms is null and o.lease_until_ms > $2) < $3
            order by q.priority desc, q.run_at_ms, q.created_at_ms, q.key limit 1)
        returning org_id, key, payload, attempts, fence",
    postgres:
        "update queue set leased_by = $4, lease_until_ms = $5, fence = fence + 1, attempts = attempts + 1
        where topic = $1 and (org_id, key) = (
            select q.org_id, q.key from queue q
            where q.topic = $1 and q.done_at_ms is null and q.run_at_ms <= $2 and q.lease_until_ms <= $2
              and (select count(*) from queue o where o.org_id = q.org_id and o.topic = $1
                   and o.done_at_ms is null and o.lease_until_ms > $2) < $3
            order by q.priority desc, q.run_at_ms, q.created_at_ms, q.key limit 1
            for update of q skip locked)
        returning org_id, key, payload, attempts, fence",
};

/// Reads a lease's fence and keeps others from taking the lease until this transaction ends. `$1` name.
pub(crate) const FENCE: Sql = Sql {
    sqlite: "select fence from leases where name = $1",
    postgres: "select fence from leases where name = $1 for share",
};

/// Reads a claim's fence and keeps others from taking the claim until this transaction ends.
/// `$1` org, `$2` topic, `$3` key.
pub(crate) const CLAIM_FENCE: Sql = Sql {
    sqlite: "select fence from queue where org_id = $1 and topic = $2 and key = $3 and done_at_ms is null",
    postgres: "select fence from queue where org_id = $1 and topic = $2 and key = $3 and done_at_ms is null
        for share",
};

/// The size of the database in bytes.
pub(crate) const DATABASE_SIZE: Sql = Sql {
    sqlite: "select page_count * page_size from pragma_page_count(), pragma_page_size()",
    postgres: "select cast(coalesce(sum(pg_total_relation_size(c.oid)), 0) as bigint) from pg_class c
        where c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace",
};
