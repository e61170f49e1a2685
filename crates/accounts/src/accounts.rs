//! The handle of this crate, its organisations and their owners.

use std::sync::Arc;

use ::store::Store;
use domain::{OrgId, UserId};
use runtime::Ambient;
use secrets::MasterKey;

use crate::access::{Caller, Via};
use crate::cache::Cache;
use crate::error::{Error, Result};
use crate::scope::Scopes;
use crate::store::orgs::{self, NewOrg, Owner};

/// The slug of the organisation of a machine of one's own.
const LOCAL: &str = "local";

/// Accounts: cheap to clone, all clones are the same.
#[derive(Clone)]
pub struct Accounts {
    pub(crate) store: Store,
    pub(crate) key: Arc<MasterKey>,
    pub(crate) ambient: Ambient,
    pub(crate) cache: Arc<Cache>,
}

impl Accounts {
    /// Accounts over `store`; `key` seals provider keys.
    #[must_use]
    pub fn new(store: Store, key: MasterKey, ambient: Ambient) -> Self {
        Self { store, key: Arc::new(key), ambient, cache: Arc::default() }
    }

    /// The owner of the organisation `local`; both are made at the first start, the owner with the name
    /// `user_name`. Servers that start at once get the same.
    ///
    /// This is the caller behind the socket file and behind commands that run in this process.
    ///
    /// # Errors
    ///
    /// Only what the store gives.
    pub async fn ensure_local_owner(&self, user_name: &str) -> Result<Caller> {
        self.ensure_owner(LOCAL, "Local", user_name).await
    }

    /// The owner of the organisation with this slug; both are made where there are none.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a slug that is no lower-case word.
    pub async fn ensure_owner(&self, slug: &str, org_name: &str, user_name: &str) -> Result<Caller> {
        if slug.is_empty() || slug != domain::name::slug(slug) {
            return Err(Error::Invalid(format!("{slug:?} is no short name: use a-z, 0-9 and hyphens")));
        }
        if let Some(owner) = orgs::owner_of(&self.store, slug).await? {
            return Ok(socket_caller(owner));
        }
        let name = match user_name.trim() {
            "" => "owner".to_owned(),
            name => name.chars().take(80).collect(),
        };
        let owner = Owner {
            org: OrgId::from_uuid(self.ambient.uuid()),
            user: UserId::from_uuid(self.ambient.uuid()),
            name,
        };
        let new =
            NewOrg { owner, slug: slug.to_owned(), name: org_name.to_owned(), now_ms: self.ambient.now_ms() };
        self.store
            .write(move |tx| Box::pin(async move { orgs::insert(tx, &new).await.map_err(Error::from) }))
            .await?;
        let owner = orgs::owner_of(&self.store, slug).await?;
        owner.map(socket_caller).ok_or(Error::NotAuthenticated)
    }

    /// The name of the caller's organisation.
    ///
    /// # Errors
    ///
    /// Only what the store gives.
    pub async fn org_name(&self, caller: &Caller) -> Result<String> {
        Ok(orgs::name(&self.store, caller.org()).await?.unwrap_or_default())
    }
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Accounts")
    }
}

fn socket_caller(owner: Owner) -> Caller {
    Caller {
        org: owner.org,
        user: owner.user,
        name: owner.name.into(),
        scopes: Scopes::EVERYTHING,
        via: Via::Socket,
    }
}
