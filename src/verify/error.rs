//! Why a chunk is not strict, and the collection of such reasons.

use crate::{code::Code, op::Op};
use std::fmt;

/// A rule that a chunk breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyError {
    code: Code,
    op: Option<usize>,
    mnemonic: &'static str,
    detail: String,
}

impl VerifyError {
    /// Which rule.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The index of the op at fault; `None` where a table is.
    pub fn op(&self) -> Option<usize> {
        self.op
    }

    /// What was found and what was expected.
    pub fn detail(&self) -> &str {
        &self.detail
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.code.title())?;
        if let Some(op) = self.op {
            write!(f, ", at op {op}")?;
            if !self.mnemonic.is_empty() {
                write!(f, " ({})", self.mnemonic)?;
            }
        }
        write!(f, ": {}", self.detail)
    }
}

impl std::error::Error for VerifyError {}

/// As many errors as were asked for have been found.
#[derive(Debug)]
pub(super) struct Full;

/// Errors found so far, up to a limit.
pub(super) struct Reports {
    /// The errors, in the order in which they were found.
    pub(super) errors: Vec<VerifyError>,
    limit: usize,
}

impl Reports {
    pub(super) fn new(limit: usize) -> Self {
        Reports {
            errors: Vec::new(),
            limit,
        }
    }

    /// Adds an error at an op of `ops`.
    #[cold]
    pub(super) fn at(
        &mut self,
        code: Code,
        ops: &[Op],
        op: usize,
        detail: String,
    ) -> Result<(), Full> {
        let mnemonic = ops.get(op).map_or("", |op| op.info().mnemonic);
        self.push(VerifyError {
            code,
            op: Some(op),
            mnemonic,
            detail,
        })
    }

    /// Adds an error of a table.
    #[cold]
    pub(super) fn table(&mut self, code: Code, detail: String) -> Result<(), Full> {
        self.push(VerifyError {
            code,
            op: None,
            mnemonic: "",
            detail,
        })
    }

    fn push(&mut self, error: VerifyError) -> Result<(), Full> {
        self.errors.push(error);
        if self.errors.len() < self.limit {
            Ok(())
        } else {
            Err(Full)
        }
    }
}
