//! Lists of sandboxes.

use std::collections::BTreeMap;

use accounts::Allowed;
use accounts::access::ReadSandboxes;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue};
use orchestrator::{SandboxFilter, SandboxView};
use serde_json::Value;

use super::body::Pairs;
use super::view::{self, BASE};
use crate::app::E2b;
use crate::caller::May;
use crate::problem::{Problem, Result};
use crate::time;

/// On one page where the client does not say, and at most.
const PAGE: usize = 100;
/// The most sandboxes that are sorted from the oldest on.
const SORTED_MAX: usize = 10_000;

/// States as the orchestrator names them, for each that E2B knows.
const RUNNING: &[&str] = &["starting", "running"];
const PAUSED: &[&str] = &["paused", "stopping", "stopped", "hibernated", "archived"];

/// What is wanted.
struct Wanted {
    filter: SandboxFilter,
    template: Option<String>,
    started_after_ms: Option<i64>,
    oldest_first: bool,
    limit: usize,
    next: Option<String>,
}

/// `GET /sandboxes`: those that run.
pub(super) async fn running(
    State(app): State<E2b>,
    May(proof): May<ReadSandboxes>,
    pairs: Pairs,
) -> Result<Json<Vec<Value>>> {
    let mut wanted = Wanted::of(&app, &pairs)?;
    wanted.filter.states = names(RUNNING);
    let (items, _) = wanted.page(&app, &proof, SORTED_MAX).await?;
    Ok(Json(items.iter().map(|view| view::listed(&app, view)).collect()))
}

/// `GET /v2/sandboxes`: also those that rest, page by page.
pub(super) async fn page(
    State(app): State<E2b>,
    May(proof): May<ReadSandboxes>,
    pairs: Pairs,
) -> Result<(HeaderMap, Json<Vec<Value>>)> {
    let wanted = Wanted::of(&app, &pairs)?;
    let limit = wanted.limit;
    let (items, next) = wanted.page(&app, &proof, limit).await?;
    let mut headers = HeaderMap::new();
    if let Some(next) = next.and_then(|next| HeaderValue::from_str(&next).ok()) {
        headers.insert("x-next-token", next);
    }
    Ok((headers, Json(items.iter().map(|view| view::listed(&app, view)).collect())))
}

impl Wanted {
    fn of(app: &E2b, pairs: &Pairs) -> Result<Self> {
        let limit: usize = pairs.number("limit")?.unwrap_or(PAGE);
        if limit == 0 {
            return Err(Problem::bad("limit is at least 1"));
        }
        let started_after_ms = match pairs.get("startedAfter") {
            Some(text) => Some(time::parse(text).ok_or_else(|| Problem::bad("startedAfter is no moment"))?),
            None => None,
        };
        let template =
            pairs.get("template").map(|name| if name == BASE { &app.settings.base_template } else { name });
        let oldest_first = match pairs.get("order") {
            None | Some("desc") => false,
            Some("asc") => true,
            Some(other) => return Err(Problem::bad(format!("{other:?} is no order"))),
        };
        let filter = SandboxFilter {
            states: states(&pairs.all("state"))?,
            metadata: pairs.get("metadata").map(metadata).unwrap_or_default(),
            without_runs: true,
            ..SandboxFilter::default()
        };
        let next = pairs.get("nextToken").map(str::to_owned);
        let template = template.map(str::to_owned);
        Ok(Self { filter, template, started_after_ms, oldest_first, limit: limit.min(PAGE), next })
    }

    /// At most `limit`, and where the rest begins.
    async fn page(
        self,
        app: &E2b,
        proof: &Allowed<ReadSandboxes>,
        limit: usize,
    ) -> Result<(Vec<SandboxView>, Option<String>)> {
        if self.oldest_first {
            return self.page_from_the_oldest(app, proof, limit).await;
        }
        let first = self.next.clone();
        self.collect(app, proof, first, limit).await
    }

    /// The store lists the newest first; the other way round, all are looked at.
    async fn page_from_the_oldest(
        &self,
        app: &E2b,
        proof: &Allowed<ReadSandboxes>,
        limit: usize,
    ) -> Result<(Vec<SandboxView>, Option<String>)> {
        let (mut all, _) = self.collect(app, proof, None, SORTED_MAX).await?;
        all.reverse();
        let begin = match &self.next {
            Some(next) => all.partition_point(|view| view.id.to_string() <= *next),
            None => 0,
        };
        let more = all.len() > begin + limit;
        let items: Vec<_> = all.into_iter().skip(begin).take(limit).collect();
        let next = items.last().filter(|_| more).map(|view| view.id.to_string());
        Ok((items, next))
    }

    async fn collect(
        &self,
        app: &E2b,
        proof: &Allowed<ReadSandboxes>,
        mut cursor: Option<String>,
        limit: usize,
    ) -> Result<(Vec<SandboxView>, Option<String>)> {
        let mut items = Vec::new();
        loop {
            let filter = SandboxFilter { cursor, limit: 200, ..self.filter.clone() };
            let page = app.orchestrator.list(proof, filter).await?;
            for view in page.items.into_iter().filter(|view| self.fits(view)) {
                if items.len() == limit {
                    let next = items.last().map(|view: &SandboxView| view.id.to_string());
                    return Ok((items, next));
                }
                items.push(view);
            }
            if page.next.is_none() {
                return Ok((items, None));
            }
            cursor = page.next;
        }
    }

    fn fits(&self, view: &SandboxView) -> bool {
        self.template.as_ref().is_none_or(|name| view.template == *name)
            && self.started_after_ms.is_none_or(|after| view::started(view) >= after)
    }
}

fn names(states: &[&str]) -> Vec<String> {
    states.iter().map(|name| (*name).to_owned()).collect()
}

/// Our states for E2B's; both where none is named.
fn states(wanted: &[&str]) -> Result<Vec<String>> {
    if wanted.is_empty() {
        return Ok(names(&[RUNNING, PAUSED].concat()));
    }
    let mut found = Vec::new();
    for state in wanted {
        match *state {
            "running" => found.extend(names(RUNNING)),
            "paused" => found.extend(names(PAUSED)),
            other => return Err(Problem::bad(format!("{other:?} is no state of a sandbox"))),
        }
    }
    Ok(found)
}

/// `key=value&…`, whose keys and values are themselves encoded.
fn metadata(text: &str) -> BTreeMap<String, String> {
    let again = |text: &str| {
        form_urlencoded::parse(format!("={}", text.replace('+', "%2B")).as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    form_urlencoded::parse(text.as_bytes()).map(|(key, value)| (again(&key), again(&value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_encoded_twice() {
        let found = metadata("a%2520b=c%2526d%253D1&plain=x&plus=1%2B1");
        let expected = [("a b", "c&d=1"), ("plain", "x"), ("plus", "1+1")];
        assert_eq!(found, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    }

    #[test]
    fn the_two_states_cover_what_clients_may_see() -> Result<()> {
        assert_eq!(states(&["running"])?, ["starting", "running"]);
        assert!(states(&[])?.contains(&"hibernated".to_owned()));
        assert!(states(&["sleeping"]).is_err());
        Ok(())
    }
}
