//! Settings of what goes out of sandboxes and what comes in.

use std::net::SocketAddr;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use egress::{Credential, Host, Policy, PrivateRule, Rule, Scheme};
use runtime::Env;
use serde::Deserialize;

/// `[egress]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EgressConfig {
    /// What every sandbox may reach that may reach anything, and what runs may reach.
    pub(crate) allow: Vec<Rule>,
    /// What none may.
    pub(crate) deny: Vec<Rule>,
    /// Hosts that may have addresses which are not public.
    pub(crate) private: Vec<PrivateConfig>,
    /// Credentials that are added on the way out.
    pub(crate) credential: Vec<CredentialConfig>,
}

/// `[[egress.private]]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PrivateConfig {
    /// The host, or `*.domain`.
    pub(crate) host: String,
    /// The range that its addresses may lie in.
    pub(crate) range: String,
}

/// `[[egress.credential]]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CredentialConfig {
    /// What it is for: `https://github.com/team`.
    pub(crate) url: String,
    /// The variable of the server's environment that holds it.
    pub(crate) env: String,
    /// The user's name, where it is sent as name and password; sent as a bearer token where left out.
    pub(crate) user: Option<String>,
    /// Another header than `Authorization`; it is then sent as it is.
    pub(crate) header: Option<String>,
}

/// `[gateway]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct GatewayConfig {
    /// Where it listens; the port after the server's or the next free one where left out.
    pub(crate) listen: Option<SocketAddr>,
    /// Previews lie at `<port>-<sandbox>.<domain>`.
    pub(crate) domain: Option<String>,
    /// The certificate for `*.<domain>`, PEM.
    pub(crate) certificate: Option<PathBuf>,
    /// Its key, PEM.
    pub(crate) key: Option<PathBuf>,
    /// Whether something in front of it speaks TLS.
    pub(crate) behind_tls: bool,
    /// The port that clients see, where it is another.
    pub(crate) public_port: Option<u16>,
}

/// A place that a credential is for.
pub(crate) struct CredentialPlace {
    pub(crate) scheme: Scheme,
    pub(crate) host: Host,
    pub(crate) port: u16,
    pub(crate) path: String,
}

impl EgressConfig {
    /// Says what cannot be meant.
    pub(crate) fn check(&self) -> Result<(), String> {
        for private in &self.private {
            private.rule().map_err(|error| format!("egress.private: {error}"))?;
        }
        for credential in &self.credential {
            credential.place().map_err(|error| format!("egress.credential: {error}"))?;
        }
        Ok(())
    }

    /// What the administrator decided for every sandbox. A credential whose variable is not set is left out.
    pub(crate) fn policy(&self, env: &Env) -> Policy {
        let credentials = self.credential.iter().filter_map(|one| one.read(env)).collect();
        Policy {
            allow: self.allow.clone(),
            deny: self.deny.clone(),
            private: self.private.iter().filter_map(|private| private.rule().ok()).collect(),
            credentials,
        }
    }
}

impl PrivateConfig {
    fn rule(&self) -> Result<PrivateRule, String> {
        PrivateRule::new(self.host.parse()?, self.range.parse()?)
    }
}

impl CredentialConfig {
    pub(crate) fn place(&self) -> Result<CredentialPlace, String> {
        CredentialPlace::of_url(&self.url)
    }

    fn read(&self, env: &Env) -> Option<Credential> {
        let read = self.with(env.get(&self.env)?);
        let warn = |error| tracing::warn!(variable = %self.env, url = %self.url, "a credential is not used: {error}");
        read.map_err(warn).ok()
    }

    /// The credential with this secret.
    pub(crate) fn with(&self, secret: &str) -> Result<Credential, String> {
        let place = self.place()?;
        let value = match (&self.header, &self.user) {
            (Some(_), _) => secret.to_owned(),
            (None, Some(user)) => format!("Basic {}", STANDARD.encode(format!("{user}:{secret}"))),
            (None, None) => format!("Bearer {secret}"),
        };
        let name = self.header.as_deref().unwrap_or("authorization");
        let at = (place.host, place.port);
        Credential::new(place.scheme, at, &place.path, (name, &value))
    }
}

impl CredentialPlace {
    /// `https://host[:port][/path]`; no login in it.
    pub(crate) fn of_url(url: &str) -> Result<Self, String> {
        let wrong = || format!("\"{url}\" is no address such as https://git.example/team");
        let (scheme, rest) = match url.split_once("://") {
            Some(("https", rest)) => (Scheme::Https, rest),
            Some(("http", rest)) => (Scheme::Http, rest),
            _ => return Err(wrong()),
        };
        let end = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let rule: Rule = authority.parse().map_err(|_| wrong())?;
        let egress::HostPattern::Exact(host) = rule.host else { return Err(wrong()) };
        let port = match rule.ports {
            egress::Ports::Usual => scheme.port(),
            egress::Ports::Listed(ports) if ports.len() == 1 => ports.first().copied().ok_or_else(wrong)?,
            egress::Ports::Listed(_) | egress::Ports::All => return Err(wrong()),
        };
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self { scheme, host, port, path: path.to_owned() })
    }

    /// `https://host[:port]/`
    pub(crate) fn base(&self) -> String {
        format!("{}://{}/", self.scheme.name(), self.authority())
    }

    /// `host[:port]`
    pub(crate) fn authority(&self) -> String {
        if self.port == self.scheme.port() {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl GatewayConfig {
    /// Says what cannot be meant.
    pub(crate) fn check(&self) -> Result<(), String> {
        let domains: Vec<String> = self.domain.iter().cloned().collect();
        gateway::Names::new(&domains).map_err(|error| format!("gateway.domain: {error}"))?;
        if self.certificate.is_some() != self.key.is_some() {
            return Err("gateway.certificate and gateway.key go together".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_read_from_its_variable_and_goes_to_its_place_only() -> Result<(), String> {
        let config: EgressConfig = toml::from_str(
            "allow = [\"*.example:443\"]\n\
             [[credential]]\nurl = \"https://git.example/team\"\nenv = \"GIT_TOKEN\"\nuser = \"x-token\"\n\
             [[credential]]\nurl = \"http://pkg.example:8080\"\nenv = \"MISSING\"\n\
             [[private]]\nhost = \"git.example\"\nrange = \"10.0.0.0/8\"\n",
        )
        .map_err(|error| error.to_string())?;
        config.check()?;
        let policy = config.policy(&Env::of(&[("GIT_TOKEN", "secret")]));
        assert_eq!(format!("{:?}", policy.credentials), "[authorization for https://git.example:443/team]");
        assert_eq!((policy.allow.len(), policy.private.len()), (1, 1));
        let place = CredentialPlace::of_url("http://pkg.example:8080")?;
        assert_eq!((place.base().as_str(), place.path.as_str()), ("http://pkg.example:8080/", "/"));
        for wrong in
            ["git.example", "ftp://a/", "https://*.a/", "https://a:1,2/", "https://u:p@a/", "https://"]
        {
            assert!(CredentialPlace::of_url(wrong).is_err(), "{wrong}");
        }
        Ok(())
    }

    #[test]
    fn what_cannot_be_meant_is_said() {
        for (text, word) in [
            ("[[private]]\nhost = \"*\"\nrange = \"10.0.0.0/8\"", "everybody"),
            ("[[private]]\nhost = \"a\"\nrange = \"10\"", "range"),
            ("[[credential]]\nurl = \"a\"\nenv = \"A\"", "no address"),
        ] {
            let config: EgressConfig = toml::from_str(text).expect(text);
            let said = config.check().expect_err(text);
            assert!(said.contains(word), "{text}: {said}");
        }
        let half = GatewayConfig { certificate: Some(PathBuf::from("a")), ..GatewayConfig::default() };
        assert!(half.check().is_err());
    }
}
