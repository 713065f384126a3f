//! String ids of the outside world, one type per kind so that they cannot be confused.
//!
//! An id is 1 to [`MAX_ID_BYTES`] bytes of UTF-8 without control characters. Ids are interned to dense integers
//! inside views and models; nothing durable depends on such an integer.

use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use crate::Invalid;

/// Longest accepted id, in bytes.
pub const MAX_ID_BYTES: usize = 256;

/// Checks the rules every id keeps; `field` names it in the error.
pub fn validate_id(field: &str, id: &str) -> Result<(), Invalid> {
    if id.is_empty() {
        return Err(Invalid::missing(field, "a non-empty id"));
    }
    if id.len() > MAX_ID_BYTES {
        return Err(Invalid::new("too_long", field, id, format!("an id of at most {MAX_ID_BYTES} bytes")));
    }
    if id.chars().any(char::is_control) {
        return Err(Invalid::new("invalid_id", field, id.escape_debug(), "an id without control characters"));
    }
    Ok(())
}

macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident, $field:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(CompactString);

        impl $name {
            /// Checks and takes an id from outside.
            pub fn parse(id: &str) -> Result<Self, Invalid> {
                validate_id($field, id)?;
                Ok(Self(CompactString::from(id)))
            }

            /// Takes an id that is known to be valid: generated, or read back from a record.
            pub fn trusted(id: impl Into<CompactString>) -> Self {
                Self(id.into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

id_type!(
    /// The sender's id of an event; appending the same id twice stores it once.
    EventId,
    "id"
);
id_type!(
    /// Somebody known across sessions.
    UserId,
    "user"
);
id_type!(
    /// Somebody known for one visit only.
    SessionId,
    "session"
);
id_type!(
    /// A thing that can be recommended.
    ItemId,
    "item"
);
id_type!(
    /// The server's id of one decision, sortable by time.
    RequestId,
    "request_id"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_bounded_and_printable() {
        assert!(ItemId::parse("i42").is_ok());
        assert_eq!(ItemId::parse("").unwrap_err().code, "missing_field");
        assert_eq!(ItemId::parse(&"x".repeat(257)).unwrap_err().code, "too_long");
        assert_eq!(UserId::parse("a\nb").unwrap_err().code, "invalid_id");
    }
}
