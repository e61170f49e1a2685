//! What a statement's `$1…` can be.

/// One argument of a statement. `None` is SQL's null; it keeps its type, which Postgres wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// An integer, a time, an amount, or a truth value as 0 and 1.
    Int(Option<i64>),
    /// A text, an id, a JSON document.
    Text(Option<String>),
    /// Bytes.
    Bytes(Option<Vec<u8>>),
}

macro_rules! from {
    ($($from:ty => |$value:ident| $to:expr;)*) => {
        $(impl From<$from> for Value {
            fn from($value: $from) -> Self {
                $to
            }
        })*
    };
}

from! {
    i64 => |value| Self::Int(Some(value));
    i32 => |value| Self::Int(Some(value.into()));
    u32 => |value| Self::Int(Some(value.into()));
    bool => |value| Self::Int(Some(value.into()));
    Option<i64> => |value| Self::Int(value);
    Option<u32> => |value| Self::Int(value.map(i64::from));
    Option<bool> => |value| Self::Int(value.map(i64::from));
    &str => |value| Self::Text(Some(value.to_owned()));
    &String => |value| Self::Text(Some(value.clone()));
    String => |value| Self::Text(Some(value));
    Option<String> => |value| Self::Text(value);
    Option<&str> => |value| Self::Text(value.map(str::to_owned));
    Vec<u8> => |value| Self::Bytes(Some(value));
    &[u8] => |value| Self::Bytes(Some(value.to_vec()));
    Option<Vec<u8>> => |value| Self::Bytes(value);
}

macro_rules! from_ids {
    ($($id:ty),*) => {
        $(impl From<$id> for Value {
            fn from(id: $id) -> Self {
                Self::Text(Some(id.to_string()))
            }
        }

        impl From<Option<$id>> for Value {
            fn from(id: Option<$id>) -> Self {
                Self::Text(id.map(|id| id.to_string()))
            }
        })*
    };
}

from_ids!(
    domain::OrgId,
    domain::PreviewId,
    domain::UserId,
    domain::TokenId,
    domain::ProjectId,
    domain::RunId,
    domain::QuestionId,
    domain::SandboxId,
    domain::SnapshotId,
    domain::ArtifactId
);
