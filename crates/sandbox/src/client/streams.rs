//! What goes on: output of processes, changes of files and ports, files in and out.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use guest::protocol::{Reply, Request, kind, push_json};
use serde::de::DeserializeOwned;

use super::channel::{Channel, Channels};
use super::{Client, Result, gone, reply_of, unexpected};
use crate::error::{SandboxError, WhileDoing as _};
use crate::provider::{
    Download, FileEvent, FileInfo, PortEvent, ProcessEvent, ProcessRef, Told, UploadOptions,
};

/// What a frame means to a stream: something to tell, or its end.
enum Heard<T> {
    Item(T),
    Last(Option<T>),
}

impl Client {
    pub(crate) async fn follow(&self, process: ProcessRef, replay: bool) -> Result<Told<ProcessEvent>> {
        let (channel, _) = self.begin(&Request::Follow { process, replay }).await?;
        Ok(self.tell(channel, |kind, payload| {
            let bytes = || Bytes::copy_from_slice(payload);
            Ok(match kind {
                kind::STDOUT => Heard::Item(ProcessEvent::Stdout(bytes())),
                kind::STDERR => Heard::Item(ProcessEvent::Stderr(bytes())),
                kind::PTY => Heard::Item(ProcessEvent::Pty(bytes())),
                kind::MISSED => {
                    let count = payload.first_chunk().map_or(0, |count| u64::from_le_bytes(*count));
                    Heard::Item(ProcessEvent::Missed { bytes: count })
                }
                _ => match reply_of(kind, payload)? {
                    Reply::ProcessEnded { exit_code, signal, error } => {
                        Heard::Last(Some(ProcessEvent::Ended { exit_code, signal, error }))
                    }
                    other => return Err(unexpected(&other)),
                },
            })
        }))
    }

    pub(crate) async fn watch(&self, path: &str, recursive: bool) -> Result<Told<FileEvent>> {
        let (channel, _) = self.begin(&Request::Watch { path: path.to_owned(), recursive }).await?;
        Ok(self.tell(channel, event))
    }

    pub(crate) async fn watch_ports(&self) -> Result<Told<PortEvent>> {
        let (channel, _) = self.begin(&Request::WatchPorts).await?;
        Ok(self.tell(channel, event))
    }

    pub(crate) async fn download(&self, path: &str, range: Option<Range<u64>>) -> Result<Download> {
        let range = range.unwrap_or(0..u64::MAX);
        let max_bytes = range.end.saturating_sub(range.start);
        let request = Request::Download { path: path.to_owned(), offset: range.start, max_bytes };
        let (channel, begun) = self.begin(&request).await?;
        let info: FileInfo = serde_json::from_slice(&begun).while_doing("understand the guest")?;
        let bytes = self.tell(channel, |kind, payload| match kind {
            kind::DATA => Ok(Heard::Item(Bytes::copy_from_slice(payload))),
            _ => match reply_of(kind, payload)? {
                Reply::Read { .. } => Ok(Heard::Last(None)),
                other => Err(unexpected(&other)),
            },
        });
        Ok(Download { info, bytes })
    }

    pub(crate) async fn upload(
        &self,
        path: &str,
        mut bytes: BoxStream<'static, io::Result<Bytes>>,
        options: UploadOptions,
    ) -> Result<FileInfo> {
        let mut channel = self.channels.take().await.map_err(gone)?;
        let request = Request::Upload { path: path.to_owned(), options };
        let mut head = Vec::new();
        push_json(&mut head, kind::REQUEST, &request).while_doing("encode a request")?;
        channel.send(&head).await.map_err(gone)?;
        let mut sent = false;
        let reply = {
            let (mut incoming, mut outgoing) = channel.split();
            let sending = async {
                while let Some(piece) = bytes.next().await {
                    let piece = piece.while_doing("read what was to be uploaded")?;
                    outgoing.input(&piece).await.map_err(gone)?;
                }
                outgoing.end_of_input().await.map_err(gone)?;
                sent = true;
                Ok::<(), SandboxError>(())
            };
            let receiving = async {
                let (kind, payload) = incoming.next().await.map_err(gone)?;
                reply_of(kind, payload)
            };
            tokio::pin!(sending, receiving);
            tokio::select! {
                biased;
                // The guest may answer before it has taken everything: no space is left, say.
                reply = &mut receiving => reply,
                result = &mut sending => match result {
                    Ok(()) | Err(SandboxError::Gone { .. }) => receiving.await,
                    Err(error) => Err(error),
                },
            }
        };
        match reply? {
            Reply::File(info) => {
                if sent {
                    self.channels.keep(channel);
                }
                Ok(info)
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Sends a request and waits until it is under way.
    async fn begin(&self, request: &Request) -> Result<(Channel, Vec<u8>)> {
        let mut channel = self.channels.take().await.map_err(gone)?;
        let mut head = Vec::new();
        push_json(&mut head, kind::REQUEST, request).while_doing("encode a request")?;
        channel.send(&head).await.map_err(gone)?;
        let (kind, payload) = channel.next().await.map_err(gone)?;
        if kind == kind::BEGUN {
            let payload = payload.to_vec();
            return Ok((channel, payload));
        }
        let reply = reply_of(kind, payload);
        self.channels.keep(channel);
        Err(reply.map_or_else(|error| error, |reply| unexpected(&reply)))
    }

    /// Tells what the guest tells, until the reply.
    fn tell<T: Send + 'static>(
        &self,
        channel: Channel,
        hear: impl Fn(u8, &[u8]) -> Result<Heard<T>> + Send + Sync + Copy + 'static,
    ) -> Told<T> {
        let state = Some((channel, Arc::clone(&self.channels)));
        stream::unfold(state, move |state: Option<(Channel, Arc<Channels>)>| async move {
            let (mut channel, channels) = state?;
            let heard = match channel.next().await {
                Ok((kind, payload)) => hear(kind, payload),
                Err(error) => Err(gone(error)),
            };
            match heard {
                Ok(Heard::Item(item)) => Some((Ok(item), Some((channel, channels)))),
                Ok(Heard::Last(item)) => {
                    channels.keep(channel);
                    item.map(|item| (Ok(item), None))
                }
                Err(error) => Some((Err(error), None)),
            }
        })
        .boxed()
    }
}

fn event<T: DeserializeOwned>(kind: u8, payload: &[u8]) -> Result<Heard<T>> {
    if kind == kind::EVENT {
        return serde_json::from_slice(payload).map(Heard::Item).while_doing("understand the guest");
    }
    match reply_of(kind, payload)? {
        Reply::Done => Ok(Heard::Last(None)),
        other => Err(unexpected(&other)),
    }
}
