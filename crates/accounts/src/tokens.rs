//! Credentials: made, checked, listed, revoked. Only hashes are stored.

use domain::TokenId;
use secrets::{Secret, token};

use crate::access::{Allowed, Caller, ManageTokens, Via};
use crate::accounts::Accounts;
use crate::cache::Known;
use crate::error::{Error, Result};
use crate::scope::{Scope, Scopes};
use crate::store::tokens::{self, TokenRow};

/// What sort of credential a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// `jm_…`, for programs.
    Token,
    /// `e2b_…`, for E2B clients.
    E2b,
    /// A browser's cookie.
    Login,
    /// Exchanged once for a browser's cookie.
    Ticket,
}

impl TokenKind {
    /// The name in JSON and in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::E2b => "e2b",
            Self::Login => "login",
            Self::Ticket => "ticket",
        }
    }

    /// How far it reaches where its maker does not say.
    fn scopes(self, held: Scopes) -> Scopes {
        match self {
            Self::E2b => Scopes::of(&[Scope::SandboxesRead, Scope::SandboxesWrite]),
            Self::Token | Self::Login | Self::Ticket => held,
        }
    }

    /// What it may be shown as.
    const fn is_shown_via(self, via: Via) -> bool {
        match self {
            Self::Token | Self::E2b => matches!(via, Via::Token),
            Self::Login => matches!(via, Via::Cookie),
            Self::Ticket => false,
        }
    }

    fn of_row(name: &str) -> Result<Self> {
        let kinds = [Self::Token, Self::E2b, Self::Login, Self::Ticket];
        kinds.into_iter().find(|kind| kind.name() == name).ok_or(Error::NotAuthenticated)
    }
}

/// A token that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// For people; 1 to 80 characters.
    pub name: String,
    /// `Token` or `E2b`.
    pub kind: TokenKind,
    /// How far it reaches; where `None`, as far as its maker's, and for E2B clients to sandboxes alone.
    pub scopes: Option<Scopes>,
    /// How many days it counts; for ever where `None`.
    pub expires_in_days: Option<u32>,
}

/// A token, as it is listed. The token itself is told once, when it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenView {
    /// Its id.
    pub id: TokenId,
    /// Its name.
    pub name: String,
    /// What sort it is.
    pub kind: TokenKind,
    /// How far it reaches.
    pub scopes: Scopes,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_at_ms: i64,
    /// When it ends, in milliseconds since the Unix epoch.
    pub expires_at_ms: Option<i64>,
    /// When it was last used (to the minute), in milliseconds since the Unix epoch.
    pub last_used_at_ms: Option<i64>,
}

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const MINUTE_MS: i64 = 60 * 1_000;

impl Accounts {
    /// Makes a token. The secret is told here and never again.
    ///
    /// # Errors
    ///
    /// - [`Error::ScopeNotHeld`]: it would reach further than its maker.
    /// - [`Error::Invalid`]: no name, or one too long; a kind that is not for programs.
    pub async fn create_token(
        &self,
        allowed: &Allowed<ManageTokens>,
        new: NewToken,
    ) -> Result<(TokenView, Secret)> {
        let held = allowed.caller().scopes();
        let scopes = new.scopes.unwrap_or_else(|| new.kind.scopes(held));
        if let Some(scope) = scopes.first_not_in(held) {
            return Err(Error::ScopeNotHeld(scope));
        }
        let name = new.name.trim();
        if name.is_empty() || name.chars().count() > 80 {
            return Err(Error::Invalid("a token's name has 1 to 80 characters".to_owned()));
        }
        let secret = match new.kind {
            TokenKind::Token => token::generate_jm(&*self.ambient.random),
            TokenKind::E2b => token::generate_e2b(&*self.ambient.random),
            TokenKind::Login | TokenKind::Ticket => {
                return Err(Error::Invalid("logins and tickets are not made like tokens".to_owned()));
            }
        };
        let now_ms = self.ambient.now_ms();
        let row = TokenRow {
            org: allowed.org(),
            id: TokenId::from_uuid(self.ambient.uuid()),
            user: allowed.user(),
            kind: new.kind.name().to_owned(),
            name: name.to_owned(),
            scopes: scopes.names().join(" "),
            created_at_ms: now_ms,
            expires_at_ms: new.expires_in_days.map(|days| now_ms.saturating_add(i64::from(days) * DAY_MS)),
            last_used_at_ms: None,
        };
        self.insert_token(row.clone(), &secret).await?;
        Ok((view(&row)?, secret))
    }

    /// The org's tokens and browser logins, the newest first.
    ///
    /// # Errors
    ///
    /// Only what the store gives.
    pub async fn list_tokens(&self, allowed: &Allowed<ManageTokens>) -> Result<Vec<TokenView>> {
        let rows = tokens::list(&self.store, allowed.org(), self.ambient.now_ms()).await?;
        rows.iter().map(view).collect()
    }

    /// Revokes a token or a login; from the return on nothing in this process accepts it.
    ///
    /// # Errors
    ///
    /// [`Error::TokenNotFound`] where this org has no such token, or no longer.
    pub async fn revoke_token(&self, allowed: &Allowed<ManageTokens>, id: TokenId) -> Result<()> {
        let (org, now_ms) = (allowed.org(), self.ambient.now_ms());
        let revoked: Result<bool> = self
            .store
            .write(move |tx| Box::pin(async move { Ok(tokens::revoke(tx, org, id, now_ms).await?) }))
            .await;
        self.cache.forget();
        if revoked? { Ok(()) } else { Err(Error::TokenNotFound(id)) }
    }

    /// Who shows this credential.
    ///
    /// # Errors
    ///
    /// [`Error::NotAuthenticated`] for one that is unknown, expired, revoked, or shown in a way that its
    /// kind does not allow (a cookie's value in a header).
    pub async fn authenticate(&self, credential: &str, via: Via) -> Result<Caller> {
        if !token::is_well_formed(credential) {
            return Err(Error::NotAuthenticated);
        }
        let hash = token::hash(credential);
        let now_ms = self.ambient.now_ms();
        let known = match self.cache.get(&hash, now_ms) {
            Some(known) => known,
            None => self.look_up(&hash, now_ms).await?,
        };
        let is_expired = known.expires_at_ms.is_some_and(|expires_at_ms| expires_at_ms <= now_ms);
        if is_expired || !known.kind.is_shown_via(via) {
            return Err(Error::NotAuthenticated);
        }
        self.note_use(&hash, &known, now_ms).await;
        Ok(Caller { via, ..known.caller })
    }

    async fn look_up(&self, hash: &str, now_ms: i64) -> Result<Known> {
        let revocations = self.cache.revocations();
        let found = tokens::by_hash(&self.store, hash).await?.ok_or(Error::NotAuthenticated)?;
        let row = found.token;
        let caller = Caller {
            org: row.org,
            user: row.user,
            name: found.user_name.into(),
            scopes: Scopes::parse(row.scopes.split_whitespace())?,
            via: Via::Token,
        };
        let known = Known {
            token: row.id,
            kind: TokenKind::of_row(&row.kind)?,
            caller,
            expires_at_ms: row.expires_at_ms,
            last_used_at_ms: row.last_used_at_ms,
            looked_up_at_ms: now_ms,
        };
        self.cache.put(hash.to_owned(), known.clone(), revocations);
        Ok(known)
    }

    /// Writes the time of use, at most once a minute. A request is not refused because that does not work.
    async fn note_use(&self, hash: &str, known: &Known, now_ms: i64) {
        let is_recent = known.last_used_at_ms.is_some_and(|at_ms| now_ms - at_ms < MINUTE_MS);
        if is_recent {
            return;
        }
        self.cache.touch(hash, now_ms);
        let (org, id) = (known.caller.org, known.token);
        let written: Result<()> = self
            .store
            .write(move |tx| Box::pin(async move { Ok(tokens::touch(tx, org, id, now_ms).await?) }))
            .await;
        if let Err(error) = written {
            tracing::warn!(error = ?error, token.id = %id, "the last use of a token was not noted");
        }
    }

    pub(crate) async fn insert_token(&self, row: TokenRow, secret: &Secret) -> Result<()> {
        let hash = token::hash(secret.expose());
        self.store.write(move |tx| Box::pin(async move { Ok(tokens::insert(tx, &row, &hash).await?) })).await
    }
}

fn view(row: &TokenRow) -> Result<TokenView> {
    Ok(TokenView {
        id: row.id,
        name: row.name.clone(),
        kind: TokenKind::of_row(&row.kind)?,
        scopes: Scopes::parse(row.scopes.split_whitespace())?,
        created_at_ms: row.created_at_ms,
        expires_at_ms: row.expires_at_ms,
        last_used_at_ms: row.last_used_at_ms,
    })
}
