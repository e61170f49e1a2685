//! Making, checking, listing and revoking tokens.

use std::time::Duration;

use accounts::access::{ManageTokens, ReadRuns, WriteRuns};
use accounts::{Error, NewToken, Scope, Scopes, TokenKind, Via};

use crate::world::{Tested, World, each_world};

fn wanted(name: &str) -> NewToken {
    NewToken { name: name.to_owned(), kind: TokenKind::Token, scopes: None, expires_in_days: None }
}

async fn is_refused(world: &World, credential: &str, via: Via) -> bool {
    matches!(world.accounts.authenticate(credential, via).await, Err(Error::NotAuthenticated))
}

#[tokio::test]
async fn a_token_works_until_it_is_revoked_and_its_text_is_stored_nowhere() {
    each_world(async |world| -> Tested {
        let manage = world.owner.allow::<ManageTokens>()?;
        let (view, secret) = world.accounts.create_token(&manage, wanted("ci")).await?;

        let caller = world.accounts.authenticate(secret.expose(), Via::Token).await?;
        assert_eq!((caller.org(), caller.name(), caller.via()), (world.owner.org(), "mira", Via::Token));

        let kept: Vec<String> =
            world.store.fetch_all("select hash from tokens", &[], |row| row.text(0)).await?;
        assert_eq!(kept, [secrets::token::hash(secret.expose())]);

        world.accounts.revoke_token(&manage, view.id).await?;
        assert!(is_refused(world, secret.expose(), Via::Token).await);
        let again = world.accounts.revoke_token(&manage, view.id).await;
        assert!(matches!(again, Err(Error::TokenNotFound(id)) if id == view.id), "{again:?}");
        assert_eq!(world.accounts.list_tokens(&manage).await?, []);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_token_ends_at_its_time_even_where_it_was_just_used() {
    each_world(async |world| -> Tested {
        let manage = world.owner.allow::<ManageTokens>()?;
        let new = NewToken { expires_in_days: Some(1), ..wanted("short") };
        let (_, secret) = world.accounts.create_token(&manage, new).await?;
        world.clock.advance(Duration::from_secs(24 * 60 * 60 - 1));
        world.accounts.authenticate(secret.expose(), Via::Token).await?;
        world.clock.advance(Duration::from_secs(1));
        assert!(is_refused(world, secret.expose(), Via::Token).await);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn e2b_clients_get_the_only_form_they_accept() {
    each_world(async |world| -> Tested {
        let manage = world.owner.allow::<ManageTokens>()?;
        let new = NewToken { kind: TokenKind::E2b, ..wanted("sdk") };
        let (_, secret) = world.accounts.create_token(&manage, new).await?;
        assert!(secret.expose().starts_with("e2b_") && secret.expose().len() == 44);
        let client = world.accounts.authenticate(secret.expose(), Via::Token).await?;
        assert_eq!(client.scopes(), Scopes::of(&[Scope::SandboxesRead, Scope::SandboxesWrite]));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_token_reaches_as_far_as_it_says_and_never_makes_a_wider_one() {
    each_world(async |world| -> Tested {
        let manage = world.owner.allow::<ManageTokens>()?;
        let scopes = Scopes::of(&[Scope::RunsRead, Scope::TokensWrite]);
        let new = NewToken { scopes: Some(scopes), ..wanted("narrow") };
        let (_, secret) = world.accounts.create_token(&manage, new).await?;
        let narrow = world.accounts.authenticate(secret.expose(), Via::Token).await?;
        assert_eq!(narrow.scopes(), scopes);
        narrow.allow::<ReadRuns>()?;
        assert!(matches!(narrow.allow::<WriteRuns>(), Err(Error::Forbidden(Scope::RunsWrite))));

        let through_it = narrow.allow::<ManageTokens>()?;
        let wider = NewToken { scopes: Some(Scopes::EVERYTHING), ..wanted("wider") };
        let refused = world.accounts.create_token(&through_it, wider).await;
        assert!(matches!(refused, Err(Error::ScopeNotHeld(Scope::RunsWrite))), "{refused:?}");
        let (view, _) = world.accounts.create_token(&through_it, wanted("same")).await?;
        assert_eq!(view.scopes, scopes);
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn another_organisation_neither_sees_nor_revokes_it() {
    each_world(async |world| -> Tested {
        let manage = world.owner.allow::<ManageTokens>()?;
        let (view, secret) = world.accounts.create_token(&manage, wanted("mine")).await?;
        let theirs = world.stranger().await?.allow::<ManageTokens>()?;
        assert_eq!(world.accounts.list_tokens(&theirs).await?, []);
        let refused = world.accounts.revoke_token(&theirs, view.id).await;
        assert!(matches!(refused, Err(Error::TokenNotFound(_))));
        world.accounts.authenticate(secret.expose(), Via::Token).await?;
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn the_last_use_is_written_at_most_once_a_minute() {
    each_world(async |world| -> Tested {
        let manage = world.owner.allow::<ManageTokens>()?;
        let (_, secret) = world.accounts.create_token(&manage, wanted("ci")).await?;
        let mut seen = Vec::new();
        for seconds in [0, 30, 29, 1, 61] {
            world.clock.advance(Duration::from_secs(seconds));
            world.accounts.authenticate(secret.expose(), Via::Token).await?;
            seen.push(world.accounts.list_tokens(&manage).await?[0].last_used_at_ms);
        }
        assert!(seen[0].is_some());
        assert_eq!((seen[1], seen[2]), (seen[0], seen[0]));
        assert_eq!(seen[3], seen[0].map(|at_ms| at_ms + 60_000));
        assert_eq!(seen[4], seen[0].map(|at_ms| at_ms + 121_000));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    each_world(async |world| -> Tested {
        let unknown = secrets::token::generate_jm(&runtime::SystemRandom);
        for text in ["", "jm_", "Bearer x", "e2b_", unknown.expose(), "' or 1=1 --"] {
            assert!(is_refused(world, text, Via::Token).await, "{text}");
        }
        Ok(())
    })
    .await;
}
