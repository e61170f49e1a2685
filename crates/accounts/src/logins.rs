//! Browsers: a single-use ticket from a link, exchanged for a login that a cookie carries.

use domain::TokenId;
use secrets::{Secret, token};

use crate::access::{Allowed, ManageTokens};
use crate::accounts::Accounts;
use crate::error::{Error, Result};
use crate::store::tokens::{self, TokenRow};
use crate::tokens::TokenKind;

/// How long a ticket may wait for its browser.
pub const TICKET_LIFE_MS: i64 = 15 * 60 * 1_000;
/// How long a browser stays signed in.
pub const LOGIN_LIFE_MS: i64 = 30 * 24 * 60 * 60 * 1_000;
/// How long ended tickets and logins are kept.
const KEPT_AFTER_END_MS: i64 = 24 * 60 * 60 * 1_000;

/// A ticket for a link.
#[derive(Debug, Clone)]
pub struct Ticket {
    /// Goes into the link's fragment.
    pub secret: Secret,
    /// When it ends, in milliseconds since the Unix epoch.
    pub expires_at_ms: i64,
}

/// A browser's login.
#[derive(Debug, Clone)]
pub struct Login {
    /// The cookie's value.
    pub secret: Secret,
    /// When it ends, in milliseconds since the Unix epoch.
    pub expires_at_ms: i64,
}

impl Accounts {
    /// Makes a ticket that signs one browser in as the caller, once and within 15 minutes.
    ///
    /// # Errors
    ///
    /// Only what the store gives.
    pub async fn create_ticket(&self, allowed: &Allowed<ManageTokens>) -> Result<Ticket> {
        let secret = token::generate_jm(&*self.ambient.random);
        let now_ms = self.ambient.now_ms();
        let expires_at_ms = now_ms + TICKET_LIFE_MS;
        let row = TokenRow {
            org: allowed.org(),
            id: TokenId::from_uuid(self.ambient.uuid()),
            user: allowed.user(),
            kind: TokenKind::Ticket.name().to_owned(),
            name: "link".to_owned(),
            scopes: allowed.caller().scopes().names().join(" "),
            created_at_ms: now_ms,
            expires_at_ms: Some(expires_at_ms),
            last_used_at_ms: None,
        };
        self.insert_token(row, &secret).await?;
        Ok(Ticket { secret, expires_at_ms })
    }

    /// Exchanges a ticket for a login. Of two who try at once one gets it.
    ///
    /// # Errors
    ///
    /// [`Error::NotAuthenticated`] for a ticket that is unknown, too old or used.
    pub async fn log_in(&self, ticket: &str) -> Result<Login> {
        if !token::is_well_formed(ticket) {
            return Err(Error::NotAuthenticated);
        }
        let secret = token::generate_jm(&*self.ambient.random);
        let now_ms = self.ambient.now_ms();
        let expires_at_ms = now_ms + LOGIN_LIFE_MS;
        let id = TokenId::from_uuid(self.ambient.uuid());
        let (ticket_hash, login_hash) = (token::hash(ticket), token::hash(secret.expose()));
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let ticket = tokens::take_ticket(tx, &ticket_hash, now_ms).await?;
                    let ticket = ticket.ok_or(Error::NotAuthenticated)?;
                    let login = TokenRow {
                        id,
                        kind: TokenKind::Login.name().to_owned(),
                        name: "browser".to_owned(),
                        created_at_ms: now_ms,
                        expires_at_ms: Some(expires_at_ms),
                        ..ticket
                    };
                    tokens::insert(tx, &login, &login_hash).await?;
                    tokens::sweep(tx, now_ms - KEPT_AFTER_END_MS).await?;
                    Ok::<_, Error>(())
                })
            })
            .await?;
        Ok(Login { secret, expires_at_ms })
    }

    /// Ends a browser's login; asking twice changes nothing.
    ///
    /// # Errors
    ///
    /// Only what the store gives.
    pub async fn log_out(&self, login: &str) -> Result<()> {
        let (hash, now_ms) = (token::hash(login), self.ambient.now_ms());
        let ended: Result<()> = self
            .store
            .write(move |tx| Box::pin(async move { Ok(tokens::revoke_login(tx, &hash, now_ms).await?) }))
            .await;
        self.cache.forget();
        ended
    }
}
