//! Organisations and their owners.

use accounts::{Accounts, Error, Via};
use runtime::Ambient;
use secrets::MasterKey;
use testkit::database::each_database;

use crate::world::{Tested, World, each_world};

#[tokio::test]
async fn the_local_owner_is_made_once_even_by_two_who_start_at_once() {
    each_database(async |database| -> Tested {
        let (ambient, _clock) = Ambient::mock(1);
        let store = database.open(ambient.clone()).await;
        let open = || {
            let key = MasterKey::load_or_create(database.folder(), &*ambient.random)?;
            Ok::<_, secrets::Error>(Accounts::new(store.clone(), key, ambient.clone()))
        };
        let (first, second) = (open()?, open()?);
        let (a, b) = tokio::join!(first.ensure_local_owner("mira"), second.ensure_local_owner("ben"));
        assert_eq!(a?, b?);
        let again = first.ensure_local_owner("someone").await?;
        assert!(["mira", "ben"].contains(&again.name()));
        assert_eq!((again.via(), again.scopes().names()), (Via::Socket, vec!["*"]));
        assert_eq!(first.org_name(&again).await?, "Local");
        store.close().await;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn an_organisation_needs_a_short_name() {
    each_world(async |world: &World| {
        for slug in ["", "Two Words", "ÄÖ"] {
            let refused = world.accounts.ensure_owner(slug, "X", "mira").await;
            assert!(matches!(refused, Err(Error::Invalid(_))), "{slug:?}");
        }
        let stranger = world.stranger().await?;
        assert_ne!(stranger.org(), world.owner.org());
        Ok(())
    })
    .await;
}
