//! Time-outs: they come, they can be moved, and they are found after the server was away.

use std::time::Duration;

use orchestrator::{CreateSandbox, Error, OnTimeout};

use crate::rig::{Rig, Tested, each_rig};

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

async fn watch(rig: &Rig) {
    rig.tasks.spawn("deadlines", rig.sandboxes.clone().watch_deadlines(rig.tasks.stopping()));
    rig.clock.wait_for_sleepers(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_whose_time_is_up_is_deleted_or_paused_as_it_was_asked_for() {
    each_rig(async |rig| -> Tested {
        watch(rig).await;
        let goes = CreateSandbox { timeout: seconds(10), ..CreateSandbox::default() };
        let goes = rig.sandboxes.create(&rig.write(), goes).await?.id;
        let stays =
            CreateSandbox { timeout: seconds(20), on_timeout: OnTimeout::Pause, ..CreateSandbox::default() };
        let stays = rig.sandboxes.create(&rig.write(), stays).await?.id;
        let endless = CreateSandbox { timeout: seconds(0), ..CreateSandbox::default() };
        let endless = rig.sandboxes.create(&rig.write(), endless).await?;
        assert_eq!(endless.ends_at_ms, None);

        rig.clock.advance(seconds(9));
        assert_eq!(rig.state(goes).await?, "running");
        rig.clock.advance(seconds(1));
        rig.reach(goes, "deleted").await;
        assert!(matches!(rig.state(goes).await, Err(Error::NotFound(_))));
        assert_eq!(rig.state(stays).await?, "running");
        rig.clock.advance(seconds(10));
        rig.reach(stays, "paused").await;
        assert_eq!(rig.sandboxes.get(&rig.read(), stays).await?.ends_at_ms, None, "what rests has no end");
        // A long pause gives the memory back.
        rig.clock.wait_for_sleepers(1).await;
        rig.clock.advance(seconds(30 * 60));
        rig.reach(stays, "hibernated").await;
        rig.clock.advance(seconds(100 * 24 * 3_600));
        assert_eq!(rig.state(endless.id).await?, "running");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_out_can_be_moved_and_a_keep_alive_never_shortens_it() {
    each_rig(async |rig| -> Tested {
        watch(rig).await;
        let wanted = CreateSandbox { timeout: seconds(10), ..CreateSandbox::default() };
        let made = rig.sandboxes.create(&rig.write(), wanted).await?;
        let (id, start) = (made.id, made.ends_at_ms.expect("an end") - 10_000);
        let extended = rig.sandboxes.extend(&rig.write(), id, seconds(5)).await?;
        assert_eq!(extended.ends_at_ms, Some(start + 10_000), "5 s are less than what is left");
        let extended = rig.sandboxes.extend(&rig.write(), id, seconds(60)).await?;
        assert_eq!(extended.ends_at_ms, Some(start + 60_000));
        rig.clock.advance(seconds(30));
        assert_eq!(rig.state(id).await?, "running");
        let connected = rig.sandboxes.resume(&rig.write(), id, Some(seconds(10))).await?;
        assert_eq!(connected.ends_at_ms, Some(start + 60_000), "connecting never shortens");
        let shorter = rig.sandboxes.set_timeout(&rig.write(), id, seconds(3)).await?;
        assert_eq!(shorter.ends_at_ms, Some(start + 33_000));
        rig.clock.advance(seconds(3));
        rig.reach(id, "deleted").await;

        let rests = rig.create().await?.id;
        rig.sandboxes.stop(&rig.write(), rests).await?;
        let refused = rig.sandboxes.set_timeout(&rig.write(), rests, seconds(3)).await;
        assert!(matches!(refused, Err(Error::Asleep { state: "stopped", .. })), "{refused:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_finds_what_was_due_while_nobody_watched() {
    each_rig(async |rig| -> Tested {
        let wanted = CreateSandbox { timeout: seconds(10), ..CreateSandbox::default() };
        let id = rig.sandboxes.create(&rig.write(), wanted).await?.id;
        assert_eq!(rig.sandboxes.sweep().await?, orchestrator::Swept::default());
        rig.clock.advance(seconds(11));
        assert_eq!(rig.sandboxes.sweep().await?.expired, 1);
        rig.reach(id, "deleted").await;
        assert_eq!(rig.sandboxes.sweep().await?, orchestrator::Swept::default(), "sweeping twice is once");
        Ok(())
    })
    .await;
}
