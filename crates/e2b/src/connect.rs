//! The Connect protocol with its JSON codec, as far as E2B's clients speak it: unary calls with
//! `application/json`, streams with `application/connect+json` in envelopes.

pub(crate) mod code;
pub(crate) mod envelope;
pub(crate) mod proto;
pub(crate) mod stream;
pub(crate) mod unary;

pub(crate) use code::{Code, ConnectError};
