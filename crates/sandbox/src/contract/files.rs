//! Files, searches and listings.

use super::{Outcome, Subject};
use crate::error::SandboxError;
use crate::provider::{FileWritten, Glob, Grep, GrepMatch, SandboxProvider};

/// Writing makes folders, says whether the file is new, and is what a later read and a command see.
pub async fn a_file_reads_back_as_written(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    let sandbox = &subject.sandbox;
    let bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(sandbox.write("a/b/c.bin", bytes.clone()).await?, FileWritten { created: true });
    assert_eq!(sandbox.write("a/b/c.bin", bytes.clone()).await?, FileWritten { created: false });
    let read = sandbox.read("/workspace/a/b/c.bin", 0, 1_000).await?;
    assert_eq!((read.bytes, read.size_bytes), (bytes, 256));
    sandbox.write("empty", Vec::new()).await?;
    assert_eq!(sandbox.read("empty", 0, 10).await?.size_bytes, 0);
    let (_, listing) = subject.sh("wc -c a/b/c.bin; ls -A a/b").await?;
    assert_eq!(listing, "256 a/b/c.bin\nc.bin\n");
    Ok(())
}

/// A script that may be run stays one; a link stays a link and what it names is replaced.
pub async fn a_file_that_is_replaced_keeps_its_mode(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    subject.sh("echo 'echo old' >run; chmod 750 run; ln -s run link").await?;
    subject.write("link", "echo new\n").await?;
    let (_, text) = subject.sh("stat -c %a run; ./run; readlink link; ls -A").await?;
    assert_eq!(text, "750\nnew\nrun\nlink\nrun\n");
    Ok(())
}

/// A read has an offset and a limit, and still tells the whole size.
pub async fn a_file_is_read_in_pieces(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    subject.write("digits", "0123456789").await?;
    let middle = subject.sandbox.read("digits", 3, 4).await?;
    assert_eq!((middle.bytes.as_slice(), middle.size_bytes), (b"3456".as_slice(), 10));
    let beyond = subject.sandbox.read("digits", 20, 4).await?;
    assert_eq!((beyond.bytes.as_slice(), beyond.size_bytes), (b"".as_slice(), 10));
    Ok(())
}

/// A missing file, a folder, a pipe and a file that may not be read each have their own words.
pub async fn what_cannot_be_read_says_why(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    subject.sh("mkdir folder; mkfifo pipe").await?;
    for (path, expected) in [
        ("missing", "no such file or directory"),
        ("folder", "is a directory"),
        ("pipe", "is not a regular file"),
        ("folder/../missing/x", "no such file or directory"),
    ] {
        match subject.sandbox.read(path, 0, 10).await {
            Err(SandboxError::File { path: named, message, .. }) => {
                assert_eq!((named.as_str(), message.as_str()), (path, expected));
            }
            other => panic!("{path}: {other:?}"),
        }
    }
    match subject.sandbox.write("folder", b"x".to_vec()).await {
        Err(SandboxError::File { message, .. }) => assert_eq!(message, "is a directory"),
        other => panic!("{other:?}"),
    }
    match subject.sandbox.write("/proc/version", b"x".to_vec()).await {
        Err(SandboxError::File { .. }) => {}
        other => panic!("{other:?}"),
    }
    Ok(())
}

/// Many pieces arrive in order.
pub async fn a_large_file_comes_back_whole(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(|number| number.to_le_bytes()).collect();
    subject.sandbox.write("large", bytes.clone()).await?;
    let read = subject.sandbox.read("large", 0, 100 << 20).await?;
    assert!(read.bytes == bytes, "{} bytes of {}", read.bytes.len(), bytes.len());
    Ok(())
}

/// Ignored files, binary files, `.git` and what lies behind links is not found.
pub async fn a_search_honours_gitignore_and_follows_no_link(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    subject
        .sh("mkdir -p src target .git .github; printf 'one\\nNeedle here\\r\\n' >src/b.rs; echo needle >src/a.txt
            echo needle >target/x; echo target >.gitignore; echo needle >.git/config; echo needle >.github/ci
            printf 'needle\\0' >src/binary; ln -s .. src/loop; ln -s /etc src/etc")
        .await?;
    let query = Grep {
        pattern: "needle".to_owned(),
        path: String::new(),
        glob: None,
        ignore_case: true,
        max_matches: 100,
    };
    let found = subject.sandbox.grep(query.clone()).await?;
    let line =
        |path: &str, line, text: &str| GrepMatch { path: path.to_owned(), line, text: text.to_owned() };
    let expected =
        [line(".github/ci", 1, "needle"), line("src/a.txt", 1, "needle"), line("src/b.rs", 2, "Needle here")];
    assert_eq!((found.matches.as_slice(), found.more), (expected.as_slice(), false));

    let rust = Grep { glob: Some("*.rs".to_owned()), path: "src".to_owned(), ..query.clone() };
    assert_eq!(subject.sandbox.grep(rust).await?.matches, expected[2..]);
    let exact = Grep { ignore_case: false, path: "/workspace/src/b.rs".to_owned(), ..query };
    assert_eq!(subject.sandbox.grep(exact).await?.matches, []);
    Ok(())
}

/// The limits of a search and a listing are held and told; a long line is cut.
pub async fn a_search_says_when_there_is_more(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    subject.sh("yes line | head -n 50 >many; head -c 2000 /dev/zero | tr '\\0' x >wide; touch a b c").await?;
    let query = |pattern: &str, max_matches| Grep {
        pattern: pattern.to_owned(),
        path: "/workspace".to_owned(),
        glob: None,
        ignore_case: false,
        max_matches,
    };
    let found = subject.sandbox.grep(query("line", 50)).await?;
    assert_eq!((found.matches.len(), found.more), (50, false));
    let found = subject.sandbox.grep(query("line", 49)).await?;
    assert_eq!((found.matches.len(), found.more), (49, true));
    let found = subject.sandbox.grep(query("xxx", 5)).await?;
    assert_eq!(found.matches[0].text, "x".repeat(500));
    let listing = |max_paths| Glob { pattern: "*".to_owned(), path: String::new(), max_paths };
    assert!(!subject.sandbox.glob(listing(5)).await?.more);
    let some = subject.sandbox.glob(listing(4)).await?;
    assert_eq!((some.paths.len(), some.more), (4, true));
    Ok(())
}

/// Patterns are the caller's, so their faults are told.
pub async fn a_pattern_that_does_not_parse_is_refused(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    let query =
        Grep { pattern: "(".to_owned(), path: String::new(), glob: None, ignore_case: false, max_matches: 1 };
    assert!(matches!(subject.sandbox.grep(query).await, Err(SandboxError::Pattern { .. })));
    let query = Glob { pattern: "[".to_owned(), path: String::new(), max_paths: 1 };
    assert!(matches!(subject.sandbox.glob(query).await, Err(SandboxError::Pattern { .. })));
    let query = Glob { pattern: "*".to_owned(), path: "missing".to_owned(), max_paths: 1 };
    assert!(matches!(subject.sandbox.glob(query).await, Err(SandboxError::File { .. })));
    Ok(())
}

/// A listing is by change, newest first, and honours .gitignore.
pub async fn a_listing_gives_the_newest_first(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    subject
        .sh("mkdir -p src/deep target; touch -d 2020-01-01 src/old.rs; touch -d 2022-01-01 src/deep/new.rs
            touch -d 2021-01-01 middle.rs; touch src/other.txt target/made.rs; echo target >.gitignore")
        .await?;
    let listing = |pattern: &str, path: &str| Glob {
        pattern: pattern.to_owned(),
        path: path.to_owned(),
        max_paths: 10,
    };
    let found = subject.sandbox.glob(listing("**/*.rs", "")).await?;
    assert_eq!(found.paths, ["src/deep/new.rs", "middle.rs", "src/old.rs"]);
    let found = subject.sandbox.glob(listing("src/*.rs", "")).await?;
    assert_eq!(found.paths, ["src/old.rs"]);
    let found = subject.sandbox.glob(listing("deep/*", "/workspace/src")).await?;
    assert_eq!(found.paths, ["src/deep/new.rs"]);
    Ok(())
}
