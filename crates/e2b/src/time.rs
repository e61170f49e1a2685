//! Moments as E2B's wire writes them.

use chrono::{DateTime, SecondsFormat, Utc};

/// RFC 3339 in UTC, to the millisecond.
pub(crate) fn rfc3339(at_ms: i64) -> String {
    let moment = DateTime::<Utc>::from_timestamp_millis(at_ms).unwrap_or(DateTime::<Utc>::UNIX_EPOCH);
    moment.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The moment that a text names, in milliseconds since the Unix epoch.
pub(crate) fn parse(text: &str) -> Option<i64> {
    // In a query a plus sign may have come as a space.
    DateTime::parse_from_rfc3339(&text.replace(' ', "+")).ok().map(|moment| moment.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_read_back_as_written() {
        let text = rfc3339(1_700_000_000_123);
        assert_eq!(text, "2023-11-14T22:13:20.123Z");
        assert_eq!(parse(&text), Some(1_700_000_000_123));
        assert_eq!(parse("2023-11-14T23:13:20.123456 01:00"), Some(1_700_000_000_123));
        assert_eq!(parse("yesterday"), None);
    }
}
