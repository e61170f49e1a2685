//! A server that dies at any moment leaves nothing that the next one does not put in order.

use std::sync::Arc;

use domain::{RunId, SandboxId};
use orchestrator::{Error, Orchestrator, Wake, Wanted};
use sandbox::{SandboxProvider as _, SandboxSpec};
use testkit::database::each_database;

use crate::rig::{Rig, Tested, each_rig, run};

fn some_id(number: u128) -> SandboxId {
    SandboxId::from_uuid(uuid::Uuid::from_u128(number))
}

#[tokio::test(flavor = "multi_thread")]
async fn sandboxes_of_a_dead_server_rest_with_their_files_and_can_be_resumed() {
    each_database(async |database| -> Tested {
        let first = Rig::open(database).await;
        let running = first.create().await?.id;
        let sandbox = first.sandboxes.live(first.owner.org(), running, Wake::Never).await?;
        sandbox.write("note", b"kept".to_vec()).await?;
        let stopped = first.create().await?.id;
        first.sandboxes.stop(&first.write(), stopped).await?;
        // It dies: nothing is put down.
        first.store.close().await;
        drop(first);

        let second = Rig::open(database).await;
        let view = second.sandboxes.get(&second.read(), running).await?;
        assert_eq!((view.state.as_str(), view.reason.as_deref()), ("hibernated", Some("lost")));
        assert_eq!(second.state(stopped).await?, "stopped");
        second.sandboxes.resume(&second.write(), running, None).await?;
        let sandbox = second.sandboxes.live(second.owner.org(), running, Wake::Never).await?;
        assert_eq!(sandbox.read("note", 0, 10).await?.bytes, b"kept");
        second.close().await;
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_that_was_written_down_is_done_by_the_next_server() {
    each_database(async |database| -> Tested {
        let first = Rig::open(database).await;
        let id = first.create().await?.id;
        let (org, folder) = (first.owner.org(), first.sandboxes.folder_of(id));
        // As the deletion leaves it when the server dies before the background work.
        first
            .store
            .write(move |tx| {
                Box::pin(async move {
                    let state = r#"{"state":"deleting"}"#;
                    tx.execute(
                        "update sandboxes set state = 'deleting', state_body = $1 where org_id = $2 and id = $3",
                        &[state.into(), org.into(), id.into()],
                    )
                    .await
                })
            })
            .await?;
        first.store.close().await;
        drop(first);
        assert!(folder.exists());

        let second = Rig::open(database).await;
        second.reach(id, "deleted").await;
        assert!(!folder.exists());
        second.close().await;
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_ends_what_nobody_owns_and_nothing_else() {
    each_rig(async |rig| -> Tested {
        let owned = rig.create().await?.id;
        let scratch = rig.sandboxes.scratch(&rig.data, |_| {}).await?;
        let stray = rig.data.join("boxes").join(some_id(1).to_string());
        std::fs::create_dir_all(stray.join("workspace")).expect("a stray folder");
        let unowned = rig.provider.create(SandboxSpec::new(some_id(2), rig.data.join("unowned"))).await?;

        let swept = rig.sandboxes.sweep().await?;
        assert_eq!((swept.orphans, swept.folders), (1, 1));
        assert!(!stray.exists());
        assert!(run(&unowned, "true").await.is_err(), "the orphan lives");
        let sandbox = rig.sandboxes.live(rig.owner.org(), owned, Wake::Never).await?;
        assert_eq!(run(&sandbox, "echo here").await?, "here\n");
        scratch.sandbox().read("nothing", 0, 1).await.expect_err("no such file, but a sandbox");
        scratch.close().await;
        assert_eq!(rig.sandboxes.sweep().await?, orchestrator::Swept::default());
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_s_sandbox_is_listed_while_it_lives_and_belongs_to_its_run() {
    each_rig(async |rig| -> Tested {
        let run_id = RunId::from_uuid(uuid::Uuid::from_u128(3));
        let wanted = Wanted {
            run: run_id,
            state_dir: rig.data.join("run"),
            base: None,
            include: Vec::new(),
            binds: Vec::new(),
        };
        let org = rig.owner.org();
        let sandbox = Orchestrator::open(&rig.sandboxes, org, wanted).await?;
        let listed = rig.sandboxes.list(&rig.read(), Default::default()).await?.items;
        assert_eq!(listed.len(), 1);
        assert_eq!((listed[0].id, listed[0].run), (sandbox.id(), Some(run_id)));
        assert_eq!(rig.sandboxes.sweep().await?, orchestrator::Swept::default());
        let refused = rig.sandboxes.delete(&rig.write(), sandbox.id()).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
        assert!(rig.events(sandbox.id()).await.is_empty(), "its run's log tells of it");
        let same: Arc<dyn sandbox::Sandbox> = rig.sandboxes.live(org, sandbox.id(), Wake::Never).await?;
        assert_eq!(run(&same, "echo hi").await?, "hi\n");
        rig.sandboxes.close(org, sandbox.id(), orchestrator::StopCause::RunStopped).await?;
        assert!(rig.sandboxes.list(&rig.read(), Default::default()).await?.items.is_empty());
        Ok(())
    })
    .await;
}
