//! Files and folders: looked at, changed, watched, sent in and out.

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};

use super::{LONG, Outcome, Subject};
use crate::error::{FileFault, SandboxError};
use crate::provider::{FileEvent, FileEventKind, FileKind, SandboxProvider, Told, UploadOptions};

fn fault<T: std::fmt::Debug>(result: Result<T, SandboxError>) -> FileFault {
    match result {
        Err(SandboxError::File { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

/// Kind, size, mode, time and a link's target are told; a link is not followed.
pub async fn a_file_tells_what_it_is(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    subject
        .sh("mkdir d; printf 12345 >d/f; chmod 640 d/f; touch -d @1700000000.25 d/f; ln -s d/f l; mkfifo p")
        .await?;
    let file = subject.sandbox.stat("d/f").await?;
    assert_eq!((file.name.as_str(), file.path.as_str()), ("f", "/workspace/d/f"));
    assert_eq!((file.kind, file.size_bytes, file.mode), (FileKind::File, 5, 0o640));
    assert_eq!((file.modified_at_ms, file.link_target.as_deref()), (1_700_000_000_250, None));
    let (_, ids) = subject.sh("stat -c '%u %g %U %G' d/f").await?;
    assert_eq!(ids, format!("{} {} {} {}\n", file.uid, file.gid, file.owner, file.group));
    let link = subject.sandbox.stat("/workspace/l").await?;
    assert_eq!((link.kind, link.link_target.as_deref()), (FileKind::Link, Some("d/f")));
    assert_eq!(subject.sandbox.stat("d/").await?.kind, FileKind::Folder);
    assert_eq!(subject.sandbox.stat("p").await?.kind, FileKind::Other);
    assert_eq!(fault(subject.sandbox.stat("missing").await), FileFault::NotFound);
    assert_eq!(fault(subject.sandbox.stat("d/f/x").await), FileFault::NotAFolder);
    Ok(())
}

/// A listing goes as deep as asked, follows no link, and is in the order of paths.
pub async fn a_folder_is_listed_as_deep_as_asked(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    subject.sh("mkdir -p a/b/c; touch a/f a/b/g a/b/c/h; ln -s .. a/up; ln -s /etc a/etc").await?;
    let paths = |list: Vec<crate::FileInfo>| list.into_iter().map(|info| info.path).collect::<Vec<_>>();
    let level = |names: &[&str]| names.iter().map(|name| format!("/workspace/a/{name}")).collect::<Vec<_>>();
    assert_eq!(paths(subject.sandbox.list("a", 1).await?), level(&["b", "etc", "f", "up"]));
    assert_eq!(paths(subject.sandbox.list("a", 2).await?), level(&["b", "b/c", "b/g", "etc", "f", "up"]));
    assert_eq!(
        paths(subject.sandbox.list("/workspace/a", 9).await?),
        level(&["b", "b/c", "b/c/h", "b/g", "etc", "f", "up"])
    );
    assert_eq!(fault(subject.sandbox.list("a/f", 1).await), FileFault::NotAFolder);
    assert_eq!(fault(subject.sandbox.list("missing", 1).await), FileFault::NotFound);
    Ok(())
}

/// Folders are made with those above, renamed with what is in them, removed whole; a link is removed alone.
pub async fn folders_are_made_renamed_and_removed(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    let sandbox = &subject.sandbox;
    assert!(sandbox.make_dir("a/b").await?);
    assert!(!sandbox.make_dir("a/b").await?);
    subject.write("a/b/f", "text").await?;
    assert_eq!(fault(sandbox.make_dir("a/b/f").await), FileFault::Exists);
    assert_eq!(fault(sandbox.make_dir("a/b/f/g").await), FileFault::NotAFolder);
    let moved = sandbox.rename("a/b", "new/place").await?;
    assert_eq!((moved.path.as_str(), moved.kind), ("/workspace/new/place", FileKind::Folder));
    assert_eq!(subject.read("new/place/f").await?, "text");
    assert_eq!(fault(sandbox.rename("a/b", "c").await), FileFault::NotFound);
    subject.sh("mkdir outside; echo kept >outside/f; ln -s ../outside new/link; mkdir -p deep/1/2/3").await?;
    sandbox.remove("new").await?;
    assert_eq!(fault(sandbox.stat("new").await), FileFault::NotFound);
    assert_eq!(subject.read("outside/f").await?, "kept\n");
    assert_eq!(fault(sandbox.remove("new").await), FileFault::NotFound);
    subject.sh("ln -s outside link").await?;
    sandbox.remove("link").await?;
    assert_eq!(subject.read("outside/f").await?, "kept\n");
    Ok(())
}

/// While a folder is removed, somebody swaps folders in it for links to another place, where nothing is removed.
pub async fn a_removal_follows_no_link_that_is_put_in_its_way(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    subject.sh("mkdir -p kept; for i in 1 2 3 4 5 6 7 8 9; do echo x >kept/$i; done").await?;
    let swap = "while [ ! -e stop ]; do mkdir -p t/a/b t/c; touch t/a/b/1 t/c/2; mv t/a t/old 2>/dev/null; \
                ln -s ../kept t/a 2>/dev/null; rm -f t/a; rm -rf t/old; done; touch stopped";
    let order = crate::StartProcess {
        argv: ["/bin/sh", "-c", swap].map(str::to_owned).to_vec(),
        ..crate::StartProcess::default()
    };
    subject.sandbox.start(order).await?;
    for _ in 0..300 {
        // It may fail as things come and go; what it must not do is reach beyond.
        let _ = subject.sandbox.remove("t").await;
    }
    subject.write("stop", "").await?;
    let (_, count) = subject.sh("while [ ! -e stopped ]; do sleep 0.01; done; ls kept | wc -l").await?;
    assert_eq!(count.trim(), "9");
    Ok(())
}

/// Names that are not UTF-8 come back whole, and their text opens the same file.
pub async fn names_that_are_no_text_are_kept(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    subject.sh("mkdir d; printf one >\"d/$(printf 'a\\377b')\"; printf two >'d/é ✓'").await?;
    let list = subject.sandbox.list("d", 1).await?;
    let names: Vec<&str> = list.iter().map(|info| info.name.as_str()).collect();
    assert_eq!(names.len(), 2);
    assert!(names.contains(&"é ✓"), "{names:?}");
    let odd = list.iter().find(|info| info.name != "é ✓").map(|info| info.path.clone()).unwrap_or_default();
    assert_eq!(subject.read(&odd).await?, "one");
    assert_eq!(subject.sandbox.stat(&odd).await?.path, odd);
    subject.write(&odd, "three").await?;
    let (_, text) = subject.sh("cat \"d/$(printf 'a\\377b')\"; ls d | wc -l").await?;
    assert_eq!(text, "three2\n");
    let found =
        subject.sandbox.glob(crate::Glob { pattern: "d/a*".to_owned(), path: String::new(), max_paths: 9 });
    assert_eq!(found.await?.paths, [odd.trim_start_matches("/workspace/")]);
    subject.sandbox.remove(&odd).await?;
    assert_eq!(subject.sandbox.list("d", 1).await?.len(), 1);
    Ok(())
}

/// What happens is told, in new folders too, until nobody listens.
pub async fn a_watch_tells_what_happens(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    subject.sh("mkdir -p d/sub; touch d/old").await?;
    let mut flat = subject.sandbox.watch("d", false).await?;
    let mut deep = subject.sandbox.watch("d", true).await?;
    subject.sh("echo x >d/f").await?;
    for events in [&mut flat, &mut deep] {
        wait_for(events, "f", FileEventKind::Created).await?;
        wait_for(events, "f", FileEventKind::Written).await?;
    }
    subject.sh("mkdir -p d/new/inner; echo y >d/new/inner/g; echo z >d/sub/h").await?;
    wait_for(&mut flat, "new", FileEventKind::Created).await?;
    wait_for(&mut deep, "new", FileEventKind::Created).await?;
    wait_for(&mut deep, "new/inner/g", FileEventKind::Created).await?;
    wait_for(&mut deep, "sub/h", FileEventKind::Written).await?;
    subject.sh("mv d/f d/moved; chmod 600 d/moved; rm d/old; echo more >>d/new/inner/g").await?;
    for events in [&mut flat, &mut deep] {
        wait_for(events, "f", FileEventKind::Renamed).await?;
        wait_for(events, "moved", FileEventKind::Created).await?;
        wait_for(events, "moved", FileEventKind::ModeChanged).await?;
        wait_for(events, "old", FileEventKind::Removed).await?;
    }
    wait_for(&mut deep, "new/inner/g", FileEventKind::Written).await?;
    subject.sh("rm -r d").await?;
    wait_for(&mut deep, "", FileEventKind::Removed).await?;
    assert_eq!(fault(subject.sandbox.watch("missing", true).await.map(drop)), FileFault::NotFound);
    Ok(())
}

async fn wait_for(events: &mut Told<FileEvent>, path: &str, kind: FileEventKind) -> Outcome {
    let wanted = FileEvent { path: path.to_owned(), kind };
    let found = async {
        let mut seen = Vec::new();
        while let Some(event) = events.next().await {
            let event = event?;
            if event == wanted {
                return Ok(());
            }
            seen.push(event);
        }
        Err::<(), Box<dyn std::error::Error>>(format!("{wanted:?} is not among {seen:?}").into())
    };
    tokio::time::timeout(LONG, found).await.map_err(|_| format!("{path}: {kind:?} does not come"))?
}

/// More than a watch can keep is told as such, and what comes later is told again.
pub async fn a_flood_of_changes_is_told_as_missed(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    subject.sh("mkdir d").await?;
    let mut events = subject.sandbox.watch("d", false).await?;
    // Far more than the kernel's queue and the socket hold, while nobody reads.
    let flood = "touch d/0 d/1; python3 -c \"import os; [os.utime('d/%d' % (i % 2)) for i in range(40000)]\"";
    let (end, text) = subject.sh(flood).await?;
    assert_eq!((end.exit_code, text.as_str()), (0, ""));
    wait_for(&mut events, "", FileEventKind::Missed).await?;
    subject.sh("touch d/after").await?;
    wait_for(&mut events, "after", FileEventKind::Created).await
}

/// A download is whole or a range, and tells what it is first.
pub async fn a_download_is_whole_or_a_range(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    let bytes: Vec<u8> = (0..1_000_000_u32).flat_map(|number| number.to_le_bytes()).collect();
    subject.sandbox.write("large", bytes.clone()).await?;
    for (range, expected) in [
        (None, &bytes[..]),
        (Some(10..3_000_010), &bytes[10..3_000_010]),
        (Some(3_999_990..5_000_000), &bytes[3_999_990..]),
        (Some(5_000_000..6_000_000), &[]),
        (Some(7..7), &[]),
    ] {
        let mut download = subject.sandbox.download("large", range.clone()).await?;
        assert_eq!(download.info.size_bytes, 4_000_000);
        let mut read = Vec::new();
        while let Some(piece) = download.bytes.next().await {
            read.extend_from_slice(&piece?);
        }
        assert!(read == expected, "{range:?}: {} bytes", read.len());
    }
    // Who leaves early harms nothing.
    let mut download = subject.sandbox.download("large", None).await?;
    assert!(download.bytes.next().await.is_some_and(|piece| piece.is_ok()));
    drop(download);
    assert_eq!(fault(subject.sandbox.download("missing", None).await.map(drop)), FileFault::NotFound);
    assert_eq!(fault(subject.sandbox.download("/workspace", None).await.map(drop)), FileFault::IsAFolder);
    Ok(())
}

/// An upload is there as a whole with its mode, or not at all.
pub async fn an_upload_is_whole_or_nothing(provider: &dyn SandboxProvider) -> Outcome {
    let subject = Subject::new(provider).await?;
    let sandbox = &subject.sandbox;
    let piece = Bytes::from(vec![7_u8; 100_000]);
    let pieces = |count: usize| {
        let piece = piece.clone();
        stream::iter((0..count).map(move |_| Ok::<_, io::Error>(piece.clone()))).boxed()
    };
    let attributes = BTreeMap::from([("note".to_owned(), "kept beside".to_owned())]);
    let options =
        UploadOptions { mode: Some(0o750), attributes: attributes.clone(), ..UploadOptions::default() };
    let info = sandbox.upload("a/b/f", pieces(30), options).await?;
    assert_eq!(
        (&info.attributes, sandbox.stat("a/b/f").await?.attributes),
        (&attributes, attributes.clone())
    );
    assert_eq!((info.path.as_str(), info.size_bytes, info.mode), ("/workspace/a/b/f", 3_000_000, 0o750));
    let broken = pieces(3).chain(stream::iter([Err(io::Error::other("cut"))])).boxed();
    assert!(sandbox.upload("a/b/f", broken, UploadOptions::default()).await.is_err());
    assert_eq!(sandbox.stat("a/b/f").await?.size_bytes, 3_000_000);
    let info = sandbox.upload("a/b/f", pieces(0), UploadOptions::default()).await?;
    assert_eq!((info.size_bytes, info.mode, info.attributes.len()), (0, 0o750, 0));
    assert_eq!(
        fault(sandbox.upload("a/b", pieces(20), UploadOptions::default()).await),
        FileFault::IsAFolder
    );
    let stranger = UploadOptions { user: Some("no-such-user".to_owned()), ..UploadOptions::default() };
    assert_eq!(fault(sandbox.upload("x", pieces(1), stranger).await), FileFault::Denied);
    super::eventually(|| async { Ok(sandbox.list("a/b", 1).await?.len() == 1) }).await
}
