//! Tickets and browser logins.

use std::time::Duration;

use accounts::access::ManageTokens;
use accounts::{Error, TokenKind, Via};

use crate::world::{Tested, each_world};

#[tokio::test]
async fn of_many_who_use_a_ticket_at_once_one_gets_in() {
    each_world(async |world| -> Tested {
        let ticket = world.accounts.create_ticket(&world.owner.allow::<ManageTokens>()?).await?;
        let tries = (0..5).map(|_| world.accounts.log_in(ticket.secret.expose()));
        let outcomes = futures_util::future::join_all(tries).await;
        let logins: Vec<_> = outcomes.into_iter().filter_map(Result::ok).collect();
        assert_eq!(logins.len(), 1);
        let caller = world.accounts.authenticate(logins[0].secret.expose(), Via::Cookie).await?;
        assert_eq!((caller.user(), caller.via()), (world.owner.user(), Via::Cookie));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_ticket_is_no_credential_and_ends_soon() {
    each_world(async |world| -> Tested {
        let ticket = world.accounts.create_ticket(&world.owner.allow::<ManageTokens>()?).await?;
        for via in [Via::Token, Via::Cookie] {
            let refused = world.accounts.authenticate(ticket.secret.expose(), via).await;
            assert!(matches!(refused, Err(Error::NotAuthenticated)), "{via:?}");
        }
        world.clock.advance(Duration::from_secs(15 * 60));
        let late = world.accounts.log_in(ticket.secret.expose()).await;
        assert!(matches!(late, Err(Error::NotAuthenticated)));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_login_works_as_a_cookie_only_and_until_it_is_ended() {
    each_world(async |world| -> Tested {
        let manage = world.owner.allow::<ManageTokens>()?;
        let ticket = world.accounts.create_ticket(&manage).await?;
        let login = world.accounts.log_in(ticket.secret.expose()).await?;
        let cookie = login.secret.expose();
        let listed = world.accounts.list_tokens(&manage).await?;
        assert_eq!(listed.iter().map(|token| token.kind).collect::<Vec<_>>(), [TokenKind::Login]);

        let as_token = world.accounts.authenticate(cookie, Via::Token).await;
        assert!(matches!(as_token, Err(Error::NotAuthenticated)));
        world.accounts.authenticate(cookie, Via::Cookie).await?;
        world.accounts.log_out(cookie).await?;
        world.accounts.log_out(cookie).await?;
        let ended = world.accounts.authenticate(cookie, Via::Cookie).await;
        assert!(matches!(ended, Err(Error::NotAuthenticated)));
        Ok(())
    })
    .await;
}
