//! Money: integer microdollars, so that sums are exact.

use serde::{Deserialize, Serialize};

/// Millionths of a US dollar.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Micros(pub i64);

impl Micros {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// The sum, or the largest amount where it would overflow.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The cost of `tokens` at `micros_per_million` microdollars per million tokens, rounded up, so
    /// that many small calls are never free.
    #[must_use]
    pub fn of_tokens(tokens: u64, micros_per_million: i64) -> Self {
        let product = i128::from(tokens) * i128::from(micros_per_million);
        let rounded = (product + 999_999).div_euclid(1_000_000);
        Self(i64::try_from(rounded).unwrap_or(i64::MAX))
    }
}

/// Reads as dollars with as many digits as matter: `$1.84`, `$0.0007`.
impl std::fmt::Display for Micros {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (sign, micros) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        let (dollars, rest) = (micros / 1_000_000, micros % 1_000_000);
        if micros == 0 || micros >= 10_000 {
            write!(f, "{sign}${dollars}.{:02}", rest / 10_000)
        } else {
            write!(f, "{sign}${dollars}.{:04}", rest.div_ceil(100))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_calls_are_never_free_and_large_ones_never_overflow() {
        assert_eq!(Micros::of_tokens(1, 3), Micros(1));
        assert_eq!(Micros::of_tokens(2_000_000, 3_000_000), Micros(6_000_000));
        assert_eq!(Micros::of_tokens(u64::MAX, i64::MAX), Micros(i64::MAX));
    }

    #[test]
    fn money_reads_as_dollars() {
        let texts = [0, 700, 9_999, 10_000, 1_840_000, -5_000_000].map(|micros| Micros(micros).to_string());
        assert_eq!(texts, ["$0.00", "$0.0007", "$0.0100", "$0.01", "$1.84", "-$5.00"]);
    }
}
