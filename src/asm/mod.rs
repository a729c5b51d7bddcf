//! The text form of modules: what people write by hand and the disassembler prints.
//!
//! [`assemble`] reads a text, [`print`] writes one, and what is printed assembles to the same module.
//! Chapter 6 of the specification says how a text looks. Whether the code makes sense is not asked
//! here: that is `verify`.

mod cursor;
mod directive;
mod error;
mod lexer;
mod literal;
mod parser;
mod plan;
mod printer;
mod tables;
mod words;

pub use error::{AsmError, AsmErrors, MAX_ERRORS};
pub use literal::MAX_NESTING;
pub use printer::{PrintError, Style, print, print_chunk, print_metadata};

use crate::chunk::Chunk;
use crate::code::Code;
use error::{Complaint, Span};
use std::collections::BTreeMap;

/// The longest text that is read or written, in bytes.
pub const MAX_TEXT: usize = 1 << 30;

use crate::format::Entry;
pub use crate::format::SourceLink as Link;

/// A module as its text describes it.
#[derive(Debug, Clone, Default)]
pub struct Assembly {
    /// The metadata of the module.
    pub metadata: BTreeMap<String, Vec<u8>>,
    /// The chunks in their order.
    pub chunks: Vec<(Entry, Chunk)>,
}

/// Reads a text; `origin` names it in messages.
///
/// # Errors
/// All that is wrong with the text, up to [`MAX_ERRORS`] places.
pub fn assemble(text: impl AsRef<[u8]>, origin: &str) -> Result<Assembly, AsmErrors> {
    let text = text.as_ref();
    let checked = check(text).map_err(|complaint| vec![complaint]);
    let assembly = checked.and_then(parser::parse);
    assembly.map_err(|complaints| AsmErrors::locate(complaints, text, origin))
}

/// The bytes as text.
fn check(text: &[u8]) -> Result<&str, Complaint> {
    if text.len() > MAX_TEXT {
        let message = format!("the text is longer than {MAX_TEXT} bytes");
        let place = Span::new(MAX_TEXT, MAX_TEXT);
        return Err(Complaint::new(Code::TextTooLarge, place, message));
    }
    std::str::from_utf8(text).map_err(|error| {
        let at = error.valid_up_to();
        let message = format!("the byte {:#04x} is no UTF-8", text[at]);
        let help = "other bytes stand in strings as \\xHH";
        Complaint::new(Code::BadCharacter, Span::new(at, at + 1), message).help(help)
    })
}

#[cfg(test)]
mod tests;
