//! The port to sandboxes: a connection to a port inside one, or the reason why there is none.

use domain::{OrgId, SandboxId};
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

/// A connection into a sandbox.
pub trait BackendStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> BackendStream for S {}

/// A port of a sandbox, and whose that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// The tenant.
    pub org: OrgId,
    /// The sandbox.
    pub sandbox: SandboxId,
    /// The port inside.
    pub port: u16,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotThere {
    /// The sandbox comes up.
    #[error("the sandbox is starting")]
    Starting,
    /// It rests; its files are there.
    #[error("the sandbox is asleep")]
    Asleep,
    /// Its time was up; there is a snapshot to make it anew from.
    #[error("the sandbox has expired")]
    Expired,
    /// There is no such sandbox any more.
    #[error("the sandbox is gone")]
    Gone,
    /// Nothing listens on that port.
    #[error("nothing listens on this port of the sandbox")]
    NoServer,
    /// Something went wrong.
    #[error("the sandbox cannot be reached: {0}")]
    Failed(String),
}

/// Gives connections into sandboxes.
pub trait Backends: Send + Sync + 'static {
    /// Called once for each request: whether the sandbox is there, and that it is used. Wakes it only where that was
    /// asked for when it was made.
    fn ready(&self, place: Place) -> BoxFuture<'_, Result<(), NotThere>>;

    /// A connection to `127.0.0.1:port` inside. Never wakes.
    fn connect(&self, place: Place) -> BoxFuture<'_, Result<Box<dyn BackendStream>, NotThere>>;

    /// Wakes a sandbox that is asleep, or makes one that expired anew; somebody with a link asked for it. Returns when
    /// that has begun.
    fn wake(&self, place: Place) -> BoxFuture<'_, Result<(), NotThere>>;
}
