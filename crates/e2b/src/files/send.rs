//! Files on their way out.

use std::ops::Range;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use sandbox::{Download, FileKind};

use super::{Compress, Query, about};
use crate::access::Operation;
use crate::app::E2b;
use crate::problem::{Problem, Result};

/// `GET /files`
pub(super) async fn download(State(app): State<E2b>, request: Request) -> Result<Response> {
    let (headers, uri) = (request.headers(), request.uri());
    let query = Query::of(uri)?;
    let call = query.open(&app, headers, uri, Operation::Read).await?;
    let path = call.user.resolve(&query.path);
    let wanted = wanted_range(headers);
    let failed = |error| about(&path, error);
    let Some(wanted) = wanted else {
        let found = call.sandbox.download(&path, None).await.map_err(failed)?;
        return Ok(whole(found, headers));
    };
    // The range needs the size, which a link alone does not tell.
    let first = call.sandbox.download(&path, None).await.map_err(failed)?;
    let size = first.info.size_bytes;
    let Some(range) = wanted.within(size) else {
        let mut response = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "no such range").into_response();
        set(&mut response, header::CONTENT_RANGE, &format!("bytes */{size}"));
        return Ok(response);
    };
    drop(first);
    let found = call.sandbox.download(&path, Some(range.clone())).await.map_err(failed)?;
    Ok(part(found, &range, size))
}

fn whole(found: Download, headers: &HeaderMap) -> Response {
    // Files of /proc have no size before they are read.
    let length =
        (found.info.kind == FileKind::File && found.info.size_bytes > 0).then_some(found.info.size_bytes);
    let mut response = body(found);
    if let Some(length) = length {
        set(&mut response, header::CONTENT_LENGTH, &length.to_string());
    }
    set(&mut response, header::ACCEPT_RANGES, "bytes");
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    if accepted.is_some_and(|accepted| accepted.trim().eq_ignore_ascii_case("gzip")) {
        response.extensions_mut().insert(Compress);
    }
    response
}

fn part(found: Download, range: &Range<u64>, size: u64) -> Response {
    let mut response = body(found);
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    set(&mut response, header::CONTENT_LENGTH, &(range.end - range.start).to_string());
    set(&mut response, header::CONTENT_RANGE, &format!("bytes {}-{}/{size}", range.start, range.end - 1));
    response
}

fn body(found: Download) -> Response {
    let name = found.info.name.clone();
    // Compression asks once more after the end.
    let bytes = found.bytes.map(|piece| piece.map_err(std::io::Error::other)).fuse();
    let mut response = Response::new(Body::from_stream(bytes));
    set(&mut response, header::CONTENT_TYPE, "application/octet-stream");
    set(&mut response, header::CONTENT_DISPOSITION, &disposition(&name));
    set(&mut response, header::VARY, "accept-encoding");
    response
}

/// `inline; filename*=utf-8''…`: whatever the name has in it.
fn disposition(name: &str) -> String {
    let encoded: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
    format!("inline; filename*=utf-8''{}", encoded.replace('+', "%20"))
}

fn set(response: &mut Response, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// What part of a file is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    From(u64),
    FromTo(u64, u64),
    Last(u64),
}

/// One range; several are answered with the whole file, as the protocol allows.
fn wanted_range(headers: &HeaderMap) -> Option<Wanted> {
    let text = headers.get(header::RANGE)?.to_str().ok()?.strip_prefix("bytes=")?;
    match text.trim().split_once('-')? {
        ("", last) => last.parse().ok().map(Wanted::Last),
        (from, "") => from.parse().ok().map(Wanted::From),
        (from, to) => {
            let (from, to) = (from.parse().ok()?, to.parse().ok()?);
            (from <= to).then_some(Wanted::FromTo(from, to))
        }
    }
}

impl Wanted {
    /// The bytes that are meant; `None` where the file has none of them.
    fn within(self, size: u64) -> Option<Range<u64>> {
        let range = match self {
            Self::From(from) => from..size,
            Self::FromTo(from, to) => from..to.saturating_add(1).min(size),
            Self::Last(count) => size.saturating_sub(count)..size,
        };
        (range.start < range.end).then_some(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_file() {
        let range = |text: &'static str| {
            let headers = HeaderMap::from_iter([(header::RANGE, HeaderValue::from_static(text))]);
            wanted_range(&headers).map(|wanted| wanted.within(10))
        };
        assert_eq!(range("bytes=0-3"), Some(Some(0..4)));
        assert_eq!(range("bytes=8-100"), Some(Some(8..10)));
        assert_eq!(range("bytes=8-"), Some(Some(8..10)));
        assert_eq!(range("bytes=-3"), Some(Some(7..10)));
        assert_eq!(range("bytes=-99"), Some(Some(0..10)));
        assert_eq!(range("bytes=10-"), Some(None));
        assert_eq!(range("bytes=-0"), Some(None));
        for unusable in ["bytes=3-1", "bytes=a-b", "lines=1-2", "bytes=0-1,3-4", "bytes="] {
            assert_eq!(range(unusable), None, "{unusable}");
        }
    }

    #[test]
    fn any_name_fits_into_a_header() {
        assert_eq!(disposition("a b\"\n.txt"), "inline; filename*=utf-8''a%20b%22%0A.txt");
        assert_eq!(disposition("日本"), "inline; filename*=utf-8''%E6%97%A5%E6%9C%AC");
    }
}
