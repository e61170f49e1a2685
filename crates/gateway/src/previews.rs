//! Previews: made, listed, revoked, and checked for each request. A token is told once, in its link; only its hash is
//! stored.

use std::sync::Arc;

use accounts::Allowed;
use accounts::access::{ReadSandboxes, WriteSandboxes};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::{PreviewId, SandboxId, UserId};
use futures_util::future::BoxFuture;
use runtime::CancellationToken;
use secrets::{Secret, token};
use serde::{Deserialize, Serialize};
use store::{Store, StoreError};

use crate::error::{Error, Result};
use crate::name::PreviewName;
use crate::registry::{Entry, Registry, follow};
use crate::store::{self as rows, PreviewRow};

/// What tokens of previews begin with.
const TOKEN_PREFIX: &str = "jmp_";
/// The longest that a preview may count for.
const LIFE_MAX_MS: i64 = 366 * 24 * 60 * 60 * 1_000;
/// What is revoked while a row is read makes it be read again, so many times.
const LOOKS: u32 = 3;
/// How long ended previews are kept.
const KEPT_AFTER_END_MS: i64 = 24 * 60 * 60 * 1_000;

/// Who may look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Whoever has the link.
    Link,
    /// Whoever knows the sandbox's id.
    Public,
}

/// A preview that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewPreview {
    /// The sandbox.
    pub sandbox: SandboxId,
    /// The port inside; every port where `None`.
    pub port: Option<u16>,
    /// Who may look.
    pub access: Access,
    /// How long it counts; as long as the sandbox where `None`.
    pub life_ms: Option<i64>,
}

/// A preview, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// Its id.
    pub id: PreviewId,
    /// The sandbox.
    pub sandbox: SandboxId,
    /// The port inside; every port where `None`.
    pub port: Option<u16>,
    /// Who may look.
    pub access: Access,
    /// Who made it.
    pub made_by: UserId,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_at_ms: i64,
    /// When it ends, in milliseconds since the Unix epoch.
    pub expires_at_ms: Option<i64>,
}

/// A preview that was just made.
#[derive(Debug, Clone)]
pub struct Made {
    /// It.
    pub preview: Preview,
    /// Goes into its link; `None` where none is needed.
    pub token: Option<Secret>,
}

/// Previews. Clones share what is in memory.
#[derive(Clone)]
pub struct Previews {
    store: Store,
    registry: Arc<Registry>,
}

impl Previews {
    /// Previews in `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store, registry: Arc::default() }
    }

    /// Makes a preview. That the sandbox is of this org is for the caller to see to: of another's sandbox nobody gets
    /// an answer, as the gateway asks for it in the preview's own org.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for port 0 or a life that is none.
    pub async fn create(&self, allowed: &Allowed<WriteSandboxes>, new: NewPreview) -> Result<Made> {
        if new.port == Some(0) {
            return Err(Error::Invalid("a port is one of 1 to 65535".to_owned()));
        }
        if new.life_ms.is_some_and(|life_ms| !(1_000..=LIFE_MAX_MS).contains(&life_ms)) {
            return Err(Error::Invalid("a preview counts for 1 second to 366 days".to_owned()));
        }
        let ambient = self.store.ambient();
        let token = (new.access == Access::Link).then(|| {
            let mut bytes = [0; 32];
            ambient.random.fill(&mut bytes);
            Secret::new(format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
        });
        let now_ms = ambient.now_ms();
        let row = PreviewRow {
            org: allowed.org(),
            id: PreviewId::from_uuid(ambient.uuid()),
            sandbox: new.sandbox,
            port: new.port,
            is_public: new.access == Access::Public,
            made_by: allowed.user(),
            created_at_ms: now_ms,
            expires_at_ms: new.life_ms.map(|life_ms| now_ms.saturating_add(life_ms)),
        };
        let preview = view(&row);
        let hash = token.as_ref().map(|token| token::hash(token.expose()));
        self.write(move |tx| Box::pin(async move { rows::insert(tx, &row, hash.as_deref()).await })).await?;
        Ok(Made { preview, token })
    }

    /// The sandbox's previews that count, the newest first.
    ///
    /// # Errors
    ///
    /// Only what the store gives.
    pub async fn list(&self, allowed: &Allowed<ReadSandboxes>, sandbox: SandboxId) -> Result<Vec<Preview>> {
        let now_ms = self.store.ambient().now_ms();
        let rows = rows::list(&self.store, allowed.org(), sandbox, now_ms).await?;
        Ok(rows.iter().map(view).collect())
    }

    /// Revokes a preview. In this process whatever is open through it ends now, in others within a second.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] where this org's sandbox has no such preview, or no longer.
    pub async fn revoke(
        &self,
        allowed: &Allowed<WriteSandboxes>,
        sandbox: SandboxId,
        id: PreviewId,
    ) -> Result<()> {
        let (org, now_ms) = (allowed.org(), self.store.ambient().now_ms());
        let revoked = self.write(move |tx| Box::pin(rows::revoke(tx, org, (sandbox, id), now_ms))).await;
        if matches!(revoked, Ok(true)) {
            self.registry.revoke(|row| row.id == id);
        }
        if revoked? { Ok(()) } else { Err(Error::NotFound(id)) }
    }

    /// Revokes every preview of a sandbox.
    ///
    /// # Errors
    ///
    /// Only what the store gives.
    pub async fn revoke_all(&self, allowed: &Allowed<WriteSandboxes>, sandbox: SandboxId) -> Result<()> {
        let (org, now_ms) = (allowed.org(), self.store.ambient().now_ms());
        self.write(move |tx| Box::pin(rows::revoke_all(tx, org, sandbox, now_ms))).await?;
        self.registry.revoke(|row| row.org == org && row.sandbox == sandbox);
        Ok(())
    }

    /// Removes previews that ended a day ago or more.
    ///
    /// # Errors
    ///
    /// Only what the store gives.
    pub async fn sweep(&self) -> Result<()> {
        let before_ms = self.store.ambient().now_ms() - KEPT_AFTER_END_MS;
        self.write(move |tx| Box::pin(rows::sweep(tx, before_ms))).await
    }

    /// Follows revocations until `stop`; without it every request looks into the database.
    pub(crate) async fn follow(&self, stop: CancellationToken) {
        follow(self.registry.clone(), self.store.clone(), stop).await;
    }

    /// The preview of `name` that `token` opens.
    pub(crate) async fn by_token(&self, name: PreviewName, token: &str) -> Result<Option<Arc<Entry>>> {
        if !is_well_formed(token) {
            return Ok(None);
        }
        let hash = token::hash(token);
        let mut found = None;
        for _ in 0..LOOKS {
            if let Some(entry) = self.registry.get(&hash, self.store.ambient()) {
                found = Some(entry);
                break;
            }
            let revocations = self.registry.revocations();
            let Some(row) = rows::by_hash(&self.store, &hash).await? else { return Ok(None) };
            found = self.registry.put(hash.clone(), row, revocations);
            if found.is_some() {
                break;
            }
        }
        let now_ms = self.store.ambient().now_ms();
        let is_for =
            |row: &PreviewRow| row.sandbox == name.sandbox && row.port.is_none_or(|port| port == name.port);
        Ok(found.filter(|entry| is_for(&entry.row) && !entry.has_expired(now_ms)))
    }

    /// The preview of `name` that needs no token.
    pub(crate) async fn public(&self, name: PreviewName) -> Result<Option<Arc<Entry>>> {
        let key = name.label();
        for _ in 0..LOOKS {
            if let Some(entry) = self.registry.get(&key, self.store.ambient()) {
                return Ok(Some(entry));
            }
            let (revocations, now_ms) = (self.registry.revocations(), self.store.ambient().now_ms());
            let row = rows::public(&self.store, name.sandbox, name.port, now_ms).await?;
            let Some(row) = row else { return Ok(None) };
            if let Some(entry) = self.registry.put(key.clone(), row, revocations) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    async fn write<T, F>(&self, change: F) -> Result<T>
    where
        F: for<'t> FnOnce(&'t mut store::Tx) -> BoxFuture<'t, Result<T, StoreError>> + Clone + Send + 'static,
        T: Send + 'static,
    {
        Ok(self.store.write(change).await?)
    }
}

/// Saves a look into the database for what cannot be a token.
fn is_well_formed(text: &str) -> bool {
    let is_base64url = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    text.strip_prefix(TOKEN_PREFIX).is_some_and(|rest| rest.len() == 43 && rest.bytes().all(is_base64url))
}

fn view(row: &PreviewRow) -> Preview {
    Preview {
        id: row.id,
        sandbox: row.sandbox,
        port: row.port,
        access: if row.is_public { Access::Public } else { Access::Link },
        made_by: row.made_by,
        created_at_ms: row.created_at_ms,
        expires_at_ms: row.expires_at_ms,
    }
}
