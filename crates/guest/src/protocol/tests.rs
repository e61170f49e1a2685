//! Frames read back as written; lengths are held.

use super::*;

#[test]
fn a_frame_reads_back_as_written() {
    let mut wire = Vec::new();
    push_frame(&mut wire, kind::STDOUT, b"a\0b");
    push_json(&mut wire, kind::REPLY, &Reply::Ended { exit_code: 3, timed_out: false }).unwrap();
    let mut reader = wire.as_slice();
    assert_eq!(read_frame(&mut reader).unwrap(), (kind::STDOUT, b"a\0b".to_vec()));
    let (kind, payload) = read_frame(&mut reader).unwrap();
    assert_eq!(kind, super::kind::REPLY);
    let reply: Reply = serde_json::from_slice(&payload).unwrap();
    assert_eq!(reply, Reply::Ended { exit_code: 3, timed_out: false });
    assert_eq!(read_frame(&mut reader).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn a_frame_that_claims_four_gigabytes_is_refused_before_memory_is_taken() {
    let error = read_frame([255u8, 255, 255, 255, 1].as_slice()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}
