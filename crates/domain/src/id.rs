//! Identifiers. Each kind has its own type and its own text prefix, so that an id in a log line or a
//! URL says what it names.

/// Declares an id type: a UUIDv7 that is written as `<prefix><32 hex digits>`.
macro_rules! define_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(uuid::Uuid);

        impl $name {
            /// What the text form begins with.
            pub const PREFIX: &'static str = $prefix;

            /// Names the thing that `uuid` identifies.
            #[must_use]
            pub const fn from_uuid(uuid: uuid::Uuid) -> Self {
                Self(uuid)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}{}", Self::PREFIX, self.0.simple())
            }
        }

        impl std::str::FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse(text, Self::PREFIX).map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

define_id!(
    /// One organisation: the tenant that owns rows, quotas and secrets.
    OrgId, "org"
);
define_id!(
    /// One person who signs in.
    UserId, "usr"
);
define_id!(
    /// One API token or browser login.
    TokenId, "tok"
);
define_id!(
    /// One project: a repository or an idea that runs work for.
    ProjectId, "prj"
);
define_id!(
    /// One run: one agent working on one goal.
    RunId, "run"
);
define_id!(
    /// One question that only a person can answer.
    QuestionId, "qst"
);
define_id!(
    /// One sandbox, from its request until its deletion.
    SandboxId, "sbx"
);
define_id!(
    /// The kept files of a sandbox at one moment.
    SnapshotId, "snp"
);
define_id!(
    /// One file, diff, log or screenshot that a run produced.
    ArtifactId, "art"
);
define_id!(
    /// One permission to look at a port of a sandbox from outside.
    PreviewId, "prv"
);

impl RunId {
    /// The name of the run's event stream.
    #[must_use]
    pub fn stream(&self) -> String {
        format!("run/{self}")
    }
}

impl SandboxId {
    /// The name of the sandbox's event stream.
    #[must_use]
    pub fn stream(&self) -> String {
        format!("sandbox/{self}")
    }
}

/// A text that is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id of the form {expected}<32 hex digits>")]
pub struct ParseIdError {
    expected: &'static str,
}

fn parse(text: &str, prefix: &'static str) -> Result<uuid::Uuid, ParseIdError> {
    text.strip_prefix(prefix)
        .filter(|hex| hex.len() == 32 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
        .and_then(|hex| uuid::Uuid::try_parse(hex).ok())
        .ok_or(ParseIdError { expected: prefix })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_as_written_and_refuse_another_kind() {
        let run = RunId::from_uuid(uuid::Uuid::from_u128(7));
        let text = run.to_string();
        assert_eq!(text, "run00000000000000000000000000000007");
        assert_eq!(text.parse(), Ok(run));
        assert!(text.parse::<OrgId>().is_err());
        assert!("run0000000000000000000000000000000G".parse::<RunId>().is_err());
        assert!("run00000000-0000-0000-0000-000000000007".parse::<RunId>().is_err());
    }
}
