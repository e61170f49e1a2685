//! Making, finding and deleting.

use std::collections::BTreeMap;

use accounts::access::{ReadSandboxes, WriteSandboxes};
use orchestrator::{CreateSandbox, Error, SandboxFilter, Wake};

use crate::rig::{Tested, each_rig, run};

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_is_made_used_listed_and_deleted() {
    each_rig(async |rig| -> Tested {
        let wanted = CreateSandbox {
            name: "scratch".to_owned(),
            metadata: BTreeMap::from([("team".to_owned(), "blue".to_owned())]),
            ..CreateSandbox::default()
        };
        let made = rig.sandboxes.create(&rig.write(), wanted).await?;
        assert_eq!(
            (made.state.as_str(), made.name.as_str(), made.template.as_str()),
            ("running", "scratch", "host")
        );
        assert_eq!(made.ends_at_ms, Some(made.created_at_ms + 3_600_000));
        let sandbox = rig.sandboxes.live(rig.owner.org(), made.id, Wake::Never).await?;
        assert_eq!(run(&sandbox, "echo hello").await?, "hello\n");
        assert_eq!(rig.sandboxes.get(&rig.read(), made.id).await?, made);

        rig.sandboxes.delete(&rig.write(), made.id).await?;
        let gone = rig.sandboxes.get(&rig.read(), made.id).await;
        assert!(matches!(gone, Err(Error::NotFound(id)) if id == made.id), "{gone:?}");
        let again = rig.sandboxes.delete(&rig.write(), made.id).await;
        assert!(matches!(again, Err(Error::NotFound(_))), "{again:?}");
        rig.reach(made.id, "deleted").await;
        assert!(!rig.sandboxes.folder_of(made.id).exists(), "its files are gone");
        let kinds: Vec<String> = rig.events(made.id).await.into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(
            kinds,
            ["sandbox.created", "sandbox.state", "sandbox.ends", "sandbox.state", "sandbox.state"]
        );
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_creates_with_one_key_at_once_make_one_sandbox() {
    each_rig(async |rig| -> Tested {
        let wanted = || CreateSandbox { key: Some("k1".to_owned()), ..CreateSandbox::default() };
        let proof = rig.write();
        let create = || Box::pin(rig.sandboxes.create(&proof, wanted()));
        let (first, second) = tokio::join!(create(), create());
        let (first, second) = (first?, second?);
        assert_eq!(first, second);
        let all = rig.sandboxes.list(&rig.read(), SandboxFilter::default()).await?;
        assert_eq!(all.items, std::slice::from_ref(&first));

        let other = CreateSandbox { name: "other".to_owned(), ..wanted() };
        let refused = rig.sandboxes.create(&rig.write(), other).await;
        assert!(matches!(refused, Err(Error::KeyConflict)), "{refused:?}");

        // Another org's keys are its own, and so is a deleted sandbox's.
        let theirs = rig.sandboxes.create(&rig.stranger.allow().expect("the owner"), wanted()).await?;
        assert_ne!(theirs.id, first.id);
        rig.sandboxes.delete(&rig.write(), first.id).await?;
        rig.reach(first.id, "deleted").await;
        assert_ne!(rig.sandboxes.create(&rig.write(), wanted()).await?.id, first.id);
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organisation_neither_sees_nor_touches_a_sandbox() {
    each_rig(async |rig| -> Tested {
        let id = rig.create().await?.id;
        let read = rig.stranger.allow::<ReadSandboxes>().expect("an owner");
        let write = rig.stranger.allow::<WriteSandboxes>().expect("an owner");
        assert!(rig.sandboxes.list(&read, SandboxFilter::default()).await?.items.is_empty());
        for refused in [
            rig.sandboxes.get(&read, id).await.map(drop),
            rig.sandboxes.pause(&write, id).await.map(drop),
            rig.sandboxes.resume(&write, id, None).await.map(drop),
            rig.sandboxes.stop(&write, id).await.map(drop),
            rig.sandboxes.delete(&write, id).await,
            rig.sandboxes.metrics(&read, id, 0..=i64::MAX).await.map(drop),
            rig.sandboxes.live(rig.stranger.org(), id, Wake::Always).await.map(drop),
        ] {
            assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
        }
        assert_eq!(rig.state(id).await?, "running");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_filtered_and_paged() {
    each_rig(async |rig| -> Tested {
        let mut made = Vec::new();
        for number in 0..5 {
            let team = if number % 2 == 0 { "even" } else { "odd" };
            let metadata = BTreeMap::from([("team".to_owned(), team.to_owned())]);
            rig.clock.advance(std::time::Duration::from_millis(2));
            let wanted = CreateSandbox { metadata, ..CreateSandbox::default() };
            made.push(rig.sandboxes.create(&rig.write(), wanted).await?.id);
        }
        rig.sandboxes.stop(&rig.write(), made[0]).await?;
        let list = async |filter: SandboxFilter| -> Result<_, Error> {
            let page = rig.sandboxes.list(&rig.read(), filter).await?;
            let ids: Vec<_> = page.items.iter().map(|view| view.id).collect();
            Ok((ids, page.next))
        };
        let (first, next) = list(SandboxFilter { limit: 2, ..SandboxFilter::default() }).await?;
        assert_eq!(first, [made[4], made[3]]);
        let (second, next) =
            list(SandboxFilter { limit: 2, cursor: next, ..SandboxFilter::default() }).await?;
        assert_eq!(second, [made[2], made[1]]);
        let (third, next) =
            list(SandboxFilter { limit: 2, cursor: next, ..SandboxFilter::default() }).await?;
        assert_eq!((third, next), (vec![made[0]], None));

        let odd = BTreeMap::from([("team".to_owned(), "odd".to_owned())]);
        let (odd, _) = list(SandboxFilter { metadata: odd, ..SandboxFilter::default() }).await?;
        assert_eq!(odd, [made[3], made[1]]);
        let states = vec!["stopped".to_owned()];
        assert_eq!(list(SandboxFilter { states, ..SandboxFilter::default() }).await?.0, [made[0]]);
        let states = vec!["sideways".to_owned()];
        let refused = list(SandboxFilter { states, ..SandboxFilter::default() }).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_meant_is_refused_before_anything_is_made() {
    each_rig(async |rig| -> Tested {
        let usual = CreateSandbox::default;
        let text = |length| "x".repeat(length);
        for bad in [
            CreateSandbox { name: text(300), ..usual() },
            CreateSandbox { key: Some(String::new()), ..usual() },
            CreateSandbox { env: BTreeMap::from([("A=B".to_owned(), text(1))]), ..usual() },
            CreateSandbox { metadata: BTreeMap::from([("a".to_owned(), text(40_000))]), ..usual() },
            CreateSandbox { timeout: std::time::Duration::from_secs(u64::MAX), ..usual() },
            CreateSandbox {
                resources: orchestrator::Resources { memory_bytes: Some(1), ..Default::default() },
                ..usual()
            },
        ] {
            let refused = rig.sandboxes.create(&rig.write(), bad).await;
            assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
        }
        let unknown = CreateSandbox { template: "nowhere".to_owned(), ..usual() };
        let refused = rig.sandboxes.create(&rig.write(), unknown).await;
        assert!(matches!(refused, Err(Error::TemplateNotFound(_))), "{refused:?}");
        assert!(rig.sandboxes.list(&rig.read(), SandboxFilter::default()).await?.items.is_empty());
        Ok(())
    })
    .await;
}
