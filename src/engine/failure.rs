//! What a handler or a compiler gives when it can't do what it was asked for.

/// An error of a handler, a function of the host, or a compiler. It ends the run in a trap with this
/// message.
///
/// ```
/// use fusevm::engine::Failure;
///
/// let parsed: Result<i64, Failure> = "x".parse::<i64>().map_err(Failure::new);
/// assert_eq!(parsed.unwrap_err().to_string(), "invalid digit found in string");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Failure(String);

impl Failure {
    /// A failure that says this.
    pub fn new(message: impl std::fmt::Display) -> Failure {
        Failure(message.to_string())
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Failure {
        Failure::new(message)
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Failure {
        Failure(message)
    }
}
