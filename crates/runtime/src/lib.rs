//! What every long-lived part needs: time, chance, ids, backoff, named tasks, the environment, logs.
//!
//! Nothing else in the workspace reads the clock, draws random numbers, spawns tasks or looks at the
//! environment; tests put their own in place.

pub mod ambient;
pub mod backoff;
pub mod clock;
pub mod env;
pub mod random;
pub mod supervisor;
pub mod telemetry;

pub use ambient::Ambient;
pub use backoff::Backoff;
pub use clock::{Clock, MockClock, SystemClock};
pub use env::Env;
pub use random::{Random, SeededRandom, SystemRandom};
pub use supervisor::Supervisor;
pub use tokio_util::sync::CancellationToken;
