//! The environment that commands get: that of this process, until the program changes it.
//!
//! The process's own is never written, as other threads may read it.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The variables.
pub(super) struct Environment {
    /// A copy of the process's, once one was needed.
    variables: Option<BTreeMap<Vec<u8>, Vec<u8>>>,
    /// `NAME=VALUE` for each, made when a command is started.
    block: Option<Vec<CString>>,
}

impl Environment {
    pub(super) const fn new() -> Self {
        Environment {
            variables: None,
            block: None,
        }
    }

    /// A variable's value.
    pub(super) fn get(&self, name: &[u8]) -> Option<Vec<u8>> {
        match &self.variables {
            Some(variables) => variables.get(name).cloned(),
            None => std::env::var_os(OsStr::from_bytes(name)).map(OsStringExt::into_vec),
        }
    }

    /// Sets a variable, or takes it away. Whether that can be: a name without `=` and a NUL, a value
    /// without a NUL.
    pub(super) fn set(&mut self, name: &[u8], value: Option<&[u8]>) -> bool {
        let is_name = !name.is_empty() && !name.contains(&b'=') && !name.contains(&0);
        if !is_name || value.is_some_and(|value| value.contains(&0)) {
            return false;
        }
        self.block = None;
        match value {
            Some(value) => self.variables().insert(name.to_vec(), value.to_vec()),
            None => self.variables().remove(name),
        };
        true
    }

    fn variables(&mut self) -> &mut BTreeMap<Vec<u8>, Vec<u8>> {
        self.variables.get_or_insert_with(|| {
            let all = std::env::vars_os();
            all.map(|(name, value)| (name.into_vec(), value.into_vec()))
                .collect()
        })
    }

    /// What a command gets.
    pub(super) fn block(&mut self) -> &[CString] {
        if self.block.is_none() {
            let lines = self.variables().iter();
            let lines = lines.map(|(name, value)| [name, &b"="[..], value].concat());
            // None has a NUL.
            self.block = Some(lines.filter_map(|line| CString::new(line).ok()).collect());
        }
        self.block.as_deref().unwrap_or_default()
    }
}
