//! The registry that everybody uses now. Keys and prices change while the server runs; a run keeps the
//! model that it has opened.

use std::sync::{Arc, PoisonError, RwLock};

use crate::Registry;

/// A registry that can be exchanged. Clones see the exchange.
#[derive(Clone)]
pub struct SharedRegistry(Arc<RwLock<Arc<Registry>>>);

impl SharedRegistry {
    /// Begins with `registry`.
    #[must_use]
    pub fn new(registry: Registry) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(registry))))
    }

    /// The registry of this moment.
    #[must_use]
    pub fn now(&self) -> Arc<Registry> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts another in its place.
    pub fn replace(&self, registry: Registry) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(registry);
    }
}
