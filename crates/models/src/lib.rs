//! Model providers behind one streaming call, their prices, and the scripted model.

pub mod error;
pub mod model;
pub mod price;

pub use error::ModelError;
pub use model::{Answer, Delta, Model, ModelInfo, Request, ToolSpec};
