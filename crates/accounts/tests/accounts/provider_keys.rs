//! Provider keys and settings.

use accounts::Error;
use accounts::access::ManageModels;
use accounts::provider_keys::KeyedProvider;
use secrets::Secret;
use serde_json::json;

use crate::world::{Tested, each_world};

#[tokio::test]
async fn a_key_reads_back_lies_sealed_and_is_forgotten_on_demand() {
    each_world(async |world| -> Tested {
        let manage = world.owner.allow::<ManageModels>()?;
        let (accounts, org) = (&world.accounts, manage.org());
        let url = Some("http://127.0.0.1:11434/v1".to_owned());
        accounts.set_provider_key(&manage, "anthropic", Secret::from("sk-ant-first"), None).await?;
        accounts.set_provider_key(&manage, "anthropic", Secret::from("sk-ant-second"), url.clone()).await?;

        let found = accounts.provider_key(org, "anthropic").await?;
        assert_eq!(found, Some((Secret::from("sk-ant-second"), url.clone())));
        let kept: Vec<String> =
            world.store.fetch_all("select sealed from provider_keys", &[], |row| row.text(0)).await?;
        assert!(kept.len() == 1 && !kept[0].contains("sk-ant"), "{kept:?}");
        let listed = accounts.keyed_providers(org).await?;
        assert_eq!(listed, [KeyedProvider { provider: "anthropic".to_owned(), base_url: url }]);

        assert!(accounts.delete_provider_key(&manage, "anthropic").await?);
        assert!(!accounts.delete_provider_key(&manage, "anthropic").await?);
        assert_eq!(accounts.provider_key(org, "anthropic").await?, None);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_sealed_key_moved_to_another_organisation_does_not_open() {
    each_world(async |world| -> Tested {
        let manage = world.owner.allow::<ManageModels>()?;
        let accounts = &world.accounts;
        accounts.set_provider_key(&manage, "openai", Secret::from("sk-mine"), None).await?;
        let theirs = world.stranger().await?.allow::<ManageModels>()?;
        let org = theirs.org();
        assert_eq!(accounts.provider_key(org, "openai").await?, None);
        let moved = world.store.write(move |tx| {
            Box::pin(async move { tx.execute("update provider_keys set org_id = $1", &[org.into()]).await })
        });
        assert_eq!(moved.await?, 1);
        let refused = accounts.provider_key(org, "openai").await;
        assert!(matches!(refused, Err(Error::Internal { .. })), "{refused:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_a_provider_key_or_address_is_refused() {
    each_world(async |world| -> Tested {
        let manage = world.owner.allow::<ManageModels>()?;
        let cases = [
            ("", "key", None),
            ("../x", "key", None),
            ("openai", "", None),
            ("openai", "two words", None),
            ("openai", "line\nbreak", None),
            ("openai", "key", Some("ftp://host")),
            ("openai", "key", Some("https://user:pass@host")),
            ("openai", "key", Some("https://")),
        ];
        for (provider, key, url) in cases {
            let url = url.map(str::to_owned);
            let refused = world.accounts.set_provider_key(&manage, provider, Secret::from(key), url).await;
            assert!(matches!(refused, Err(Error::Invalid(_))), "{provider} {key}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_default_model_and_own_prices_belong_to_their_organisation() {
    each_world(async |world| -> Tested {
        let manage = world.owner.allow::<ManageModels>()?;
        let (accounts, org) = (&world.accounts, manage.org());
        assert_eq!(accounts.default_model(org).await?, None);
        accounts.set_default_model(&manage, "openai/gpt-x").await?;
        accounts.set_default_model(&manage, "anthropic/claude-y").await?;
        assert_eq!(accounts.default_model(org).await?.as_deref(), Some("anthropic/claude-y"));
        for wrong in ["", "nothing", "/x", "x/", "a b/c"] {
            assert!(accounts.set_default_model(&manage, wrong).await.is_err(), "{wrong:?}");
        }

        let price = json!({ "input": 1, "output": 2 });
        accounts.set_price(&manage, "openai/gpt-x", Some(price.clone())).await?;
        assert_eq!(accounts.price_overrides(org).await?, [("openai/gpt-x".to_owned(), price)].into());
        accounts.set_price(&manage, "openai/gpt-x", None).await?;
        assert!(accounts.price_overrides(org).await?.is_empty());

        let stranger = world.stranger().await?;
        assert_eq!(accounts.default_model(stranger.org()).await?, None);
        Ok(())
    })
    .await;
}
