//! Sorted samples and what is told of them.

/// The value below which `share` of the samples lie (nearest rank); 0 of no samples.
pub(crate) fn quantile(samples: &[f64], share: f64) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index into a small list"
    )]
    let at = (share * sorted.len().saturating_sub(1) as f64).round() as usize;
    sorted.get(at).copied().unwrap_or(0.0)
}

/// The sample in the middle.
pub(crate) fn median(samples: &[f64]) -> f64 {
    quantile(samples, 0.5)
}

/// One thing measured.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Figure {
    /// What was measured, in words.
    pub(crate) name: String,
    /// How much.
    pub(crate) value: f64,
    /// Of what.
    pub(crate) unit: &'static str,
    /// The bound that we want to hold; `None` for what is only told.
    pub(crate) wanted: Option<Bound>,
}

/// On which side of a number the good lies.
#[derive(Debug, Clone, Copy, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    /// Not more than this.
    AtMost(f64),
    /// Not less than this.
    AtLeast(f64),
}

impl Figure {
    pub(crate) fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), value, unit, wanted: None }
    }

    pub(crate) fn at_most(mut self, limit: f64) -> Self {
        self.wanted = Some(Bound::AtMost(limit));
        self
    }

    pub(crate) fn at_least(mut self, limit: f64) -> Self {
        self.wanted = Some(Bound::AtLeast(limit));
        self
    }

    /// Whether the bound holds; `None` without one.
    pub(crate) fn holds(&self) -> Option<bool> {
        self.wanted.map(|bound| match bound {
            Bound::AtMost(limit) => self.value <= limit,
            Bound::AtLeast(limit) => self.value >= limit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_take_the_nearest_rank() {
        let samples: Vec<f64> = (1..=21).rev().map(f64::from).collect();
        assert_eq!(median(&samples).to_bits(), 11f64.to_bits());
        assert_eq!(quantile(&samples, 0.95).to_bits(), 20f64.to_bits());
        assert_eq!(quantile(&[], 0.5).to_bits(), 0f64.to_bits());
    }

    #[test]
    fn a_bound_holds_on_its_own_side() {
        assert_eq!(Figure::new("a", 3.0, "ms").at_most(3.0).holds(), Some(true));
        assert_eq!(Figure::new("a", 3.0, "1/s").at_least(4.0).holds(), Some(false));
        assert_eq!(Figure::new("a", 3.0, "ms").holds(), None);
    }
}
