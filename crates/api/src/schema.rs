//! The shapes of what others define (`runs`, `domain`), for the OpenAPI document. A test holds each
//! against the real thing.

pub(crate) mod events;
pub(crate) mod problem;
pub(crate) mod results;
pub(crate) mod runs;
pub(crate) mod sandboxes;

#[cfg(test)]
mod tests;
