//! What an organisation has chosen: the default model, prices of its own.

use std::collections::BTreeMap;

use domain::OrgId;
use serde_json::Value;

use crate::access::{Allowed, ManageModels};
use crate::accounts::Accounts;
use crate::error::{Error, Result, WhileDoing};
use crate::store::settings;

const DEFAULT_MODEL: &str = "default_model";
const PRICE_PREFIX: &str = "price/";

impl Accounts {
    /// The model for runs that name none.
    ///
    /// # Errors
    ///
    /// Only what the store gives.
    pub async fn default_model(&self, org: OrgId) -> Result<Option<String>> {
        let Some(text) = settings::find(&self.store, org, DEFAULT_MODEL).await? else { return Ok(None) };
        serde_json::from_str(&text).while_doing("read a setting")
    }

    /// Chooses the model for runs that name none.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a name that cannot be a model's. Whether there is such a model is for the
    /// model layer to say.
    pub async fn set_default_model(&self, allowed: &Allowed<ManageModels>, model: &str) -> Result<()> {
        check_model(model)?;
        self.put_setting(allowed.org(), DEFAULT_MODEL.to_owned(), &Value::from(model)).await
    }

    /// The org's own prices by model, in the form in which they were given.
    ///
    /// # Errors
    ///
    /// Only what the store gives.
    pub async fn price_overrides(&self, org: OrgId) -> Result<BTreeMap<String, Value>> {
        let rows = settings::prices(&self.store, org).await?;
        let price = |(name, text): (String, String)| {
            let value = serde_json::from_str(&text).while_doing("read a setting")?;
            Ok((name.strip_prefix(PRICE_PREFIX).unwrap_or(&name).to_owned(), value))
        };
        rows.into_iter().map(price).collect()
    }

    /// Sets the org's own price of a model, or goes back to the list's with `None`.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a name that cannot be a model's.
    pub async fn set_price(
        &self,
        allowed: &Allowed<ManageModels>,
        model: &str,
        price: Option<Value>,
    ) -> Result<()> {
        check_model(model)?;
        let (org, name) = (allowed.org(), format!("{PRICE_PREFIX}{model}"));
        match price {
            Some(price) => self.put_setting(org, name, &price).await,
            None => {
                self.store
                    .write(move |tx| Box::pin(async move { Ok(settings::delete(tx, org, &name).await?) }))
                    .await
            }
        }
    }

    async fn put_setting(&self, org: OrgId, name: String, value: &Value) -> Result<()> {
        let (text, now_ms) = (value.to_string(), self.ambient.now_ms());
        self.store
            .write(move |tx| Box::pin(async move { Ok(settings::put(tx, org, &name, &text, now_ms).await?) }))
            .await
    }
}

/// `provider/name`, visible characters.
fn check_model(model: &str) -> Result<()> {
    let is_name = model.len() <= 300
        && model.chars().all(|c| !c.is_control() && !c.is_whitespace())
        && model.split_once('/').is_some_and(|(provider, name)| !provider.is_empty() && !name.is_empty());
    if is_name { Ok(()) } else { Err(Error::Invalid(format!("{model:?} is no model: give provider/name"))) }
}
