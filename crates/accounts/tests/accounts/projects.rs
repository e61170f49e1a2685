//! Projects, their numbers and rules.

use std::path::Path;

use accounts::access::{ReadProjects, WriteProjects, WriteRuns};
use accounts::projects::next_run_number;
use accounts::rules::put_rule;
use accounts::{Error, Rule, RuleEffect};

use crate::world::{Tested, each_world};

#[tokio::test]
async fn a_folder_has_one_project_and_two_of_one_name_get_two_slugs() {
    each_world(async |world| -> Tested {
        let write = world.owner.allow::<WriteProjects>()?;
        let read = world.owner.allow::<ReadProjects>()?;
        let accounts = &world.accounts;
        let first = accounts.project_for_path(&write, Path::new("/home/mira/My Shop")).await?;
        let same = accounts
            .project_for_path(&world.owner.allow::<WriteRuns>()?, Path::new("/home/mira/My Shop"))
            .await?;
        let other = accounts.project_for_path(&write, Path::new("/srv/my-shop")).await?;
        assert_eq!(first, same);
        assert_eq!((first.slug.as_str(), first.name.as_str()), ("my-shop", "My Shop"));
        assert_eq!(other.slug, "my-shop-2");
        assert_eq!(accounts.find_project(&read, "my-shop-2").await?, other);
        assert_eq!(accounts.find_project(&read, &first.id.to_string()).await?, first);
        assert_eq!(accounts.list_projects(&read).await?.len(), 2);
        for path in ["relative/path", ""] {
            let refused = accounts.project_for_path(&write, Path::new(path)).await;
            assert!(matches!(refused, Err(Error::Invalid(_))), "{path:?}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn many_who_add_folders_at_once_all_get_theirs() {
    each_world(async |world| -> Tested {
        let write = world.owner.allow::<WriteProjects>()?;
        let paths: Vec<_> = (0..8).map(|number| format!("/srv/{}/shop", number / 2)).collect();
        let added = paths.iter().map(|path| world.accounts.project_for_path(&write, Path::new(path)));
        let projects = futures_util::future::try_join_all(added).await?;
        for (index, project) in projects.iter().enumerate() {
            assert_eq!(project.path, paths[index]);
            assert_eq!(project.id, projects[index ^ 1].id);
        }
        let mut slugs: Vec<_> = projects.iter().step_by(2).map(|project| project.slug.as_str()).collect();
        slugs.sort_unstable();
        assert_eq!(slugs, ["shop", "shop-2", "shop-3", "shop-4"]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn another_organisation_finds_nothing_and_may_use_the_same_folder() {
    each_world(async |world| -> Tested {
        let mine = world
            .accounts
            .add_project(&world.owner.allow::<WriteProjects>()?, Path::new("/srv/shop"), "Corner shop")
            .await?;
        let stranger = world.stranger().await?;
        let read = stranger.allow::<ReadProjects>()?;
        for name in [mine.slug.clone(), mine.id.to_string()] {
            let refused = world.accounts.find_project(&read, &name).await;
            assert!(matches!(refused, Err(Error::ProjectNotFound(wanted)) if wanted == name));
        }
        assert_eq!(world.accounts.list_projects(&read).await?, []);
        let theirs = world
            .accounts
            .project_for_path(&stranger.allow::<WriteProjects>()?, Path::new("/srv/shop"))
            .await?;
        assert_ne!(theirs.id, mine.id);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn run_numbers_count_up_per_project_and_a_failed_write_uses_none() {
    each_world(async |world| -> Tested {
        let write = world.owner.allow::<WriteProjects>()?;
        let org = write.org();
        let project = world.accounts.project_for_path(&write, Path::new("/srv/a")).await?.id;
        let take = |fail: bool| {
            world.store.write(move |tx| {
                Box::pin(async move {
                    let number = next_run_number(tx, org, project).await?;
                    if fail { Err(Error::NotAuthenticated) } else { Ok(number) }
                })
            })
        };
        assert_eq!(take(false).await?, 1);
        assert!(take(true).await.is_err());
        assert_eq!(take(false).await?, 2);
        let mut at_once = futures_util::future::try_join_all((0..5).map(|_| take(false))).await?;
        at_once.sort_unstable();
        assert_eq!(at_once, [3, 4, 5, 6, 7]);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn rules_are_kept_per_project_and_the_last_word_counts() {
    each_world(async |world| -> Tested {
        let write = world.owner.allow::<WriteProjects>()?;
        let org = write.org();
        let project = world.accounts.project_for_path(&write, Path::new("/srv/a")).await?.id;
        let other = world.accounts.project_for_path(&write, Path::new("/srv/b")).await?.id;
        let rule = |effect| Rule {
            tool: "bash".to_owned(),
            target: "git push*".to_owned(),
            effect,
            by: "mira".to_owned(),
            created_at_ms: 5,
        };
        for effect in [RuleEffect::Ask, RuleEffect::Allow] {
            let rule = rule(effect);
            let put =
                world.store.write(move |tx| Box::pin(async move { put_rule(tx, org, project, &rule).await }));
            put.await?;
        }
        assert_eq!(world.accounts.rules(org, project).await?, [rule(RuleEffect::Allow)]);
        assert_eq!(world.accounts.rules(org, other).await?, []);
        let again =
            world.accounts.set_rule(&write, project, ("bash", "git push*"), RuleEffect::Refuse).await?;
        assert_eq!(world.accounts.rules(org, project).await?, std::slice::from_ref(&again));
        assert!(world.accounts.set_rule(&write, project, (" ", "*"), RuleEffect::Ask).await.is_err());
        world.accounts.delete_rule(&write, project, &again.id()).await?;
        let gone = world.accounts.delete_rule(&write, project, &again.id()).await;
        assert!(matches!(gone, Err(accounts::Error::RuleNotFound(_))), "{gone:?}");
        Ok(())
    })
    .await;
}
