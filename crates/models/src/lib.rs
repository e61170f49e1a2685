//! Model providers behind one streaming call, their prices, and the scripted model.

pub mod config;
pub mod error;
mod failure;
pub mod http;
pub mod model;
pub mod price;
pub mod price_table;
pub mod probe;
pub mod registry;
pub mod scripted;
pub mod shared;
mod sse;
pub mod stories;
mod wire;

pub use config::{ModelsConfig, ProviderConfig, ServerConfig, WireKind};
pub use error::ModelError;
pub use http::{HttpClient, HttpConfig, http_client};
pub use model::{Answer, Delta, Model, ModelInfo, Request, ToolSpec};
pub use registry::{ConnectionTest, Registry};
pub use shared::SharedRegistry;
pub use wire::RetryPolicy;
