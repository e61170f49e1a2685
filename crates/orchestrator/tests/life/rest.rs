//! Rest and waking: files stay, looking wakes nothing.

use orchestrator::{CreateSandbox, Error, SandboxFilter, Wake};

use crate::rig::{Rig, Tested, each_rig, run};

async fn write_file(rig: &Rig, id: domain::SandboxId) -> Result<(), Error> {
    let sandbox = rig.sandboxes.live(rig.owner.org(), id, Wake::Never).await?;
    sandbox.write("note", b"kept".to_vec()).await?;
    Ok(())
}

async fn read_file(rig: &Rig, id: domain::SandboxId) -> Result<Vec<u8>, Error> {
    let sandbox = rig.sandboxes.live(rig.owner.org(), id, Wake::Never).await?;
    Ok(sandbox.read("note", 0, 100).await?.bytes)
}

#[tokio::test(flavor = "multi_thread")]
async fn files_outlast_a_stop_and_a_pause() {
    each_rig(async |rig| -> Tested {
        let id = rig.create().await?.id;
        write_file(rig, id).await?;
        let stopped = rig.sandboxes.stop(&rig.write(), id).await?;
        assert_eq!((stopped.state.as_str(), stopped.reason.as_deref()), ("stopped", Some("asked")));
        assert_eq!(stopped.ends_at_ms, None, "what rests has no end");
        assert_eq!(rig.sandboxes.stop(&rig.write(), id).await?, stopped, "stopping twice is stopping once");

        let resumed = rig.sandboxes.resume(&rig.write(), id, None).await?;
        assert_eq!(resumed.state, "running");
        assert!(resumed.ends_at_ms.is_some());
        assert_eq!(read_file(rig, id).await?, b"kept");

        let paused = rig.sandboxes.pause(&rig.write(), id).await?;
        assert!(["paused", "hibernated"].contains(&paused.state.as_str()), "{}", paused.state);
        assert_eq!(rig.sandboxes.pause(&rig.write(), id).await?, paused, "pausing twice is pausing once");
        rig.sandboxes.resume(&rig.write(), id, None).await?;
        assert_eq!(read_file(rig, id).await?, b"kept");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_wakes_nothing_and_use_wakes_what_asked_for_it() {
    each_rig(async |rig| -> Tested {
        let org = rig.owner.org();
        let stays = rig.create().await?.id;
        let wakes = CreateSandbox { auto_resume: true, ..CreateSandbox::default() };
        let wakes = rig.sandboxes.create(&rig.write(), wakes).await?.id;
        let mut rested = Vec::new();
        for id in [stays, wakes] {
            rested.push(rig.sandboxes.pause(&rig.write(), id).await?);
        }
        for (id, rested) in [stays, wakes].into_iter().zip(&rested) {
            assert_eq!(&rig.sandboxes.get(&rig.read(), id).await?, rested);
            rig.sandboxes.list(&rig.read(), SandboxFilter::default()).await?;
            rig.sandboxes.metrics(&rig.read(), id, 0..=i64::MAX).await?;
            rig.sandboxes.touch(id);
            let asleep = rig.sandboxes.live(org, id, Wake::Never).await.map(drop);
            assert!(matches!(asleep, Err(Error::Asleep { .. })), "{asleep:?}");
            assert_eq!(&rig.sandboxes.get(&rig.read(), id).await?, rested, "looking woke it");
        }
        let asleep = rig.sandboxes.live(org, stays, Wake::IfAsked).await.map(drop);
        assert!(matches!(asleep, Err(Error::Asleep { .. })), "{asleep:?}");
        let woken = rig.sandboxes.live(org, wakes, Wake::IfAsked).await?;
        assert_eq!(run(&woken, "echo up").await?, "up\n");
        assert_eq!(rig.state(wakes).await?, "running");
        rig.sandboxes.live(org, stays, Wake::Always).await?;
        assert_eq!(rig.state(stays).await?, "running");

        // What somebody stopped stays so.
        rig.sandboxes.stop(&rig.write(), wakes).await?;
        let asleep = rig.sandboxes.live(org, wakes, Wake::IfAsked).await.map(drop);
        assert!(matches!(asleep, Err(Error::Asleep { state: "stopped", .. })), "{asleep:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_wake_one_sandbox_at_once_get_the_same() {
    each_rig(async |rig| -> Tested {
        let wanted = CreateSandbox { auto_resume: true, ..CreateSandbox::default() };
        let id = rig.sandboxes.create(&rig.write(), wanted).await?.id;
        rig.sandboxes.pause(&rig.write(), id).await?;
        let org = rig.owner.org();
        let wake = || rig.sandboxes.live(org, id, Wake::IfAsked);
        let (one, two, three) = tokio::join!(wake(), wake(), wake());
        for sandbox in [one?, two?, three?] {
            assert_eq!(run(&sandbox, "echo up").await?, "up\n");
        }
        let starts = rig.events(id).await.into_iter().filter(|(_, data)| data["state"] == "running").count();
        assert_eq!(starts, 2, "made once, woken once");
        Ok(())
    })
    .await;
}
