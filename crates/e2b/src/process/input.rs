//! `StreamInput`: input in order, as long as the client sends.

use axum::body::BodyDataStream;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use futures_util::StreamExt as _;

use super::messages::{Empty, StreamInputRequest};
use super::running;
use crate::app::E2b;
use crate::call::{Call, Refused};
use crate::connect::code::Result;
use crate::connect::envelope::Decoder;
use crate::connect::{ConnectError, stream, unary};

/// The answer comes when all input is written.
pub(super) async fn stream(app: &E2b, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if !stream::is_stream(&head) {
        return unary::unsupported(stream::TYPE);
    }
    let written = async {
        let call = Call::of(app, &head).await?;
        let limit = unary::timeout(&head)?.filter(|limit| !limit.is_zero());
        let write = write(&call, body.into_data_stream());
        match limit {
            Some(limit) => {
                let written = app.ambient.within(limit, write).await;
                written.unwrap_or_else(|| Err(ConnectError::deadline()))?;
            }
            None => write.await?,
        }
        Ok::<_, Refused>(())
    };
    match written.await {
        Ok(()) => stream::single(&Empty {}),
        Err(refused) => stream::refused(refused),
    }
}

async fn write(call: &Call, body: BodyDataStream) -> Result<()> {
    let mut messages = Messages { body, decoder: Decoder::default() };
    let first: Option<StreamInputRequest> = messages.next().await?;
    let start = first.and_then(|message| message.start);
    let start = start.ok_or_else(|| ConnectError::invalid("the first message names the process"))?;
    let process = start.process.chosen()?;
    // Fails at once, also where no input follows.
    running(call, &process).await?;
    while let Some(message) = messages.next().await? {
        if message.start.is_some() {
            return Err(ConnectError::invalid("only the first message names a process"));
        }
        if let Some(data) = message.data {
            call.sandbox.send_input(process.clone(), data.input.bytes()?).await?;
        }
    }
    Ok(())
}

struct Messages {
    body: BodyDataStream,
    decoder: Decoder,
}

impl Messages {
    async fn next(&mut self) -> Result<Option<StreamInputRequest>> {
        loop {
            if let Some(message) = self.decoder.next()? {
                return unary::read(&message).map(Some);
            }
            let more: Option<std::result::Result<Bytes, axum::Error>> = self.body.next().await;
            match more {
                Some(Ok(bytes)) => self.decoder.push(&bytes),
                Some(Err(_)) => return Err(ConnectError::invalid("the input broke off")),
                None if self.decoder.is_empty() => return Ok(None),
                None => return Err(ConnectError::invalid("the input ended within a message")),
            }
        }
    }
}
