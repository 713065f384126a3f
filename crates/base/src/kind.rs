//! What a caller should do about an error.

use serde::Serialize;

/// The coarse kind of an error: what the one who sees it should do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The input or the settings are wrong; the same call fails again until the caller changes it.
    Caller,
    /// Nothing is wrong with the call: overload, a deadline, a lock held elsewhere. The same call may succeed later.
    Retry,
    /// A broken invariant, damaged data or a failing disk: a person should look at it.
    Report,
}
