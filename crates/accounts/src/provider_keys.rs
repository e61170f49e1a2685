//! Keys of model providers. They lie sealed; nobody is told them but the model layer.

use domain::OrgId;
use secrets::{Place, Secret};

use crate::access::{Allowed, ManageModels};
use crate::accounts::Accounts;
use crate::error::{Error, Result, WhileDoing};
use crate::store::provider_keys::{self, SealedKey};

/// A provider that has a stored key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedProvider {
    /// `anthropic` …
    pub provider: String,
    /// Its address, where it is not the usual one.
    pub base_url: Option<String>,
}

impl Accounts {
    /// The stored key of a provider and its address, where it is not the usual one.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] where the seal does not open: another master key, or a damaged row.
    pub async fn provider_key(&self, org: OrgId, provider: &str) -> Result<Option<(Secret, Option<String>)>> {
        let Some(found) = provider_keys::find(&self.store, org, provider).await? else { return Ok(None) };
        let name = seal_name(provider);
        let place = Place { org, name: &name, version: found.version };
        let key = self.key.open(&place, &found.sealed).while_doing("open a stored provider key")?;
        Ok(Some((key, found.base_url)))
    }

    /// Which providers have a stored key.
    ///
    /// # Errors
    ///
    /// Only what the store gives.
    pub async fn keyed_providers(&self, org: OrgId) -> Result<Vec<KeyedProvider>> {
        let rows = provider_keys::list(&self.store, org).await?;
        Ok(rows.into_iter().map(|(provider, base_url)| KeyedProvider { provider, base_url }).collect())
    }

    /// Keeps a provider's key, in place of an earlier one.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a provider, key or address that cannot be one.
    pub async fn set_provider_key(
        &self,
        allowed: &Allowed<ManageModels>,
        provider: &str,
        key: Secret,
        base_url: Option<String>,
    ) -> Result<()> {
        check_provider(provider)?;
        check_key(&key)?;
        base_url.as_deref().map_or(Ok(()), check_base_url)?;
        let (org, now_ms) = (allowed.org(), self.ambient.now_ms());
        let earlier = provider_keys::find(&self.store, org, provider).await?;
        let version = earlier.map_or(now_ms, |earlier| now_ms.max(earlier.version + 1));
        let name = seal_name(provider);
        let place = Place { org, name: &name, version };
        let sealed = self.key.seal(&place, &key, &*self.ambient.random).while_doing("seal a provider key")?;
        let (row, provider) = (SealedKey { version, sealed, base_url }, provider.to_owned());
        self.store
            .write(move |tx| {
                Box::pin(async move { Ok(provider_keys::put(tx, org, &provider, &row, now_ms).await?) })
            })
            .await
    }

    /// Forgets a provider's key; returns whether there was one.
    ///
    /// # Errors
    ///
    /// Only what the store gives.
    pub async fn delete_provider_key(&self, allowed: &Allowed<ManageModels>, provider: &str) -> Result<bool> {
        let (org, provider) = (allowed.org(), provider.to_owned());
        self.store
            .write(move |tx| Box::pin(async move { Ok(provider_keys::delete(tx, org, &provider).await?) }))
            .await
    }
}

fn seal_name(provider: &str) -> String {
    format!("provider/{provider}")
}

fn check_provider(provider: &str) -> Result<()> {
    let is_word = !provider.is_empty()
        && provider.len() <= 40
        && provider.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if is_word { Ok(()) } else { Err(Error::Invalid(format!("{provider:?} is no provider's name"))) }
}

fn check_key(key: &Secret) -> Result<()> {
    let text = key.expose();
    let is_key = !text.is_empty() && text.len() <= 4_096 && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_key {
        return Ok(());
    }
    Err(Error::Invalid("a key is 1 to 4,096 visible ASCII characters without spaces".to_owned()))
}

fn check_base_url(url: &str) -> Result<()> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let is_url = rest.is_some_and(|rest| {
        !rest.is_empty()
            && url.len() <= 500
            && !rest.starts_with('/')
            && !rest.contains('@')
            && rest.bytes().all(|byte| byte.is_ascii_graphic())
    });
    if is_url { Ok(()) } else { Err(Error::Invalid(format!("{url:?} is no http or https address"))) }
}
