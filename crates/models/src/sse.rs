//! Server-sent events out of chunks of bytes, wherever the chunks are cut.

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its name; empty where the provider gives none.
    pub(crate) name: String,
    /// Its data, lines joined.
    pub(crate) data: String,
}

/// Why a stream is not one of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SseError {
    /// An event is larger than any answer.
    #[error("an event of the stream is larger than 16 MiB")]
    TooLarge,
    /// Bytes that are not UTF-8.
    #[error("the stream is not UTF-8")]
    NotUtf8,
}

/// No event is larger.
const EVENT_LIMIT_BYTES: usize = 16 << 20;

/// Takes bytes, gives events.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    line: Vec<u8>,
    event: Event,
    has_data: bool,
    started: bool,
    after_return: bool,
}

impl Decoder {
    /// Takes the next bytes and hands each finished event to `on_event`.
    pub(crate) fn feed<E: From<SseError>>(
        &mut self,
        mut bytes: &[u8],
        mut on_event: impl FnMut(&Event) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(&first) = bytes.first() {
            if std::mem::take(&mut self.after_return) && first == b'\n' {
                bytes = &bytes[1..];
                continue;
            }
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let taken = &bytes[..end.unwrap_or(bytes.len())];
            if self.line.len() + taken.len() + self.event.data.len() > EVENT_LIMIT_BYTES {
                return Err(SseError::TooLarge.into());
            }
            self.line.extend_from_slice(taken);
            let Some(end) = end else { return Ok(()) };
            self.after_return = bytes[end] == b'\r';
            bytes = &bytes[end + 1..];
            if let Some(event) = self.end_line()? {
                on_event(&event)?;
            }
        }
        Ok(())
    }

    /// Ends the stream; an event without its empty line still counts.
    pub(crate) fn finish(&mut self) -> Result<Option<Event>, SseError> {
        if !self.line.is_empty() {
            self.end_line()?;
        }
        self.end_line()
    }

    fn end_line(&mut self) -> Result<Option<Event>, SseError> {
        let mut line = std::mem::take(&mut self.line);
        if !std::mem::replace(&mut self.started, true) && line.starts_with(b"\xEF\xBB\xBF") {
            line.drain(..3);
        }
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            return Ok(std::mem::take(&mut self.has_data).then_some(event));
        }
        let text = str::from_utf8(&line).map_err(|_| SseError::NotUtf8)?;
        let (field, value) = text.split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            "event" => value.clone_into(&mut self.event.name),
            _ => {}
        }
        // Keeps the buffer for the next line.
        line.clear();
        self.line = line;
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
