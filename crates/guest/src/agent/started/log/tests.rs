//! What a follower gets, in time and late.

use super::*;
use crate::protocol::kind;

const ENDED: Outcome = Outcome { exit_code: 0, signal: None };

fn output(bytes: &[u8]) -> Next {
    Next::Output(kind::STDOUT, bytes.to_vec())
}

#[test]
fn who_comes_late_gets_what_is_kept_and_is_told_what_is_not() {
    let log = Log::default();
    log.add(kind::STDOUT, b"one");
    log.add(kind::STDERR, b"two");
    let early = log.follow(true).unwrap();
    assert_eq!(early.next(), output(b"one"));
    assert_eq!(early.next(), Next::Output(kind::STDERR, b"two".to_vec()));
    assert_eq!(early.next(), Next::Nothing);
    drop(early);
    let piece = vec![7; PIECE_BYTES];
    for _ in 0..20 {
        log.add(kind::STDOUT, &piece);
    }
    let late = log.follow(true).unwrap();
    let now = log.follow(false).unwrap();
    log.finish(ENDED);
    assert_eq!(now.next(), Next::Ended(ENDED));
    let Next::Missed(missed) = late.next() else { panic!("nothing is missed") };
    let mut read = 0;
    loop {
        match late.next() {
            Next::Output(_, bytes) => read += bytes.len() as u64,
            Next::Ended(outcome) => break assert_eq!(outcome, ENDED),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(missed + read, 6 + 20 * PIECE_BYTES as u64);
    assert!((KEPT_BYTES..KEPT_BYTES + PIECE_BYTES as u64).contains(&read), "{read}");
}

#[test]
fn a_full_log_waits_for_a_reader_that_moves_and_loses_nothing() {
    let log = Log::default();
    let follower = log.follow(true).unwrap();
    let piece = vec![7; PIECE_BYTES];
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..100 {
                log.add(kind::STDOUT, &piece);
            }
            log.finish(ENDED);
        });
        let mut read = 0;
        loop {
            match follower.next() {
                Next::Output(_, bytes) => read += bytes.len(),
                Next::Nothing => std::thread::yield_now(),
                Next::Ended(_) => break,
                Next::Missed(bytes) => panic!("missed {bytes}"),
            }
        }
        assert_eq!(read, 100 * PIECE_BYTES);
    });
}

#[test]
fn small_pieces_are_kept_together() {
    let log = Log::default();
    for _ in 0..10_000 {
        log.add(kind::STDOUT, b"x");
    }
    assert_eq!(lock(&log.state).pieces.len(), 1);
    assert_eq!(log.kept_bytes(), 10_000);
}
