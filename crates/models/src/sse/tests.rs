use super::*;

fn decode(chunks: &[&[u8]]) -> Result<Vec<(String, String)>, SseError> {
    let mut decoder = Decoder::default();
    let mut events = Vec::new();
    for chunk in chunks {
        decoder.feed(chunk, |event| {
            events.push((event.name.clone(), event.data.clone()));
            Ok::<(), SseError>(())
        })?;
    }
    events.extend(decoder.finish()?.map(|event| (event.name, event.data)));
    Ok(events)
}

#[test]
fn events_are_the_same_wherever_the_chunks_are_cut() {
    let stream = "\u{feff}: hello\r\nevent: a\r\ndata: grün\r\ndata:two\r\n\r\ndata: x\n\n\n\nevent: lone\n\nid: 7\rdata\r\rdata: last";
    let whole = decode(&[stream.as_bytes()]).unwrap();
    let wanted = [("a", "grün\ntwo"), ("", "x"), ("", ""), ("", "last")];
    assert_eq!(whole, wanted.map(|(name, data)| (name.to_owned(), data.to_owned())));
    for cut in 0..=stream.len() {
        let (left, right) = stream.as_bytes().split_at(cut);
        assert_eq!(decode(&[left, right]).unwrap(), whole, "cut at {cut}");
    }
    let single: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
    assert_eq!(decode(&single).unwrap(), whole);
}

#[test]
fn bytes_that_are_not_utf8_are_refused() {
    assert_eq!(decode(&[b"data: \xff\xfe\n\n"]), Err(SseError::NotUtf8));
}

#[test]
fn a_line_without_end_is_refused_at_the_limit() {
    let megabyte = vec![b'x'; 1 << 20];
    let mut chunks: Vec<&[u8]> = vec![b"data: "];
    chunks.extend(std::iter::repeat_n(&*megabyte, 17));
    assert_eq!(decode(&chunks), Err(SseError::TooLarge));
}
