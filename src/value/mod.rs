//! The values of the VM and what ops mean on them.

/// Placeholder until the room is furnished.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Value {
    /// No value.
    #[default]
    Undef,
}
