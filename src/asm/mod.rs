//! The text form of modules: what people write by hand and the disassembler prints.
//!
//! [`assemble`] reads a text, [`print()`] writes one, and what is printed assembles to the same module.
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

pub use crate::lower::Listing;
pub use error::{AsmError, AsmErrors, MAX_ERRORS};
pub use printer::{PrintError, Style, print, print_chunk, print_metadata};

use crate::chunk::Chunk;
use crate::code::Code;
use crate::format::{Entry, LoadError, Metadata, Module, ModuleWriter, WriteError};
use error::{Complaint, Span};
use std::io::{Seek, Write};

/// The longest text that is read or written, in bytes.
pub const MAX_TEXT: usize = 1 << 30;

/// A module as its text describes it.
///
/// ```
/// use fusevm::{Module, ModuleWriter, asm};
/// use std::io::Cursor;
///
/// let text = "load_int 40\nload_int 2\nadd\nprint_ln 1\n";
/// let assembly = asm::assemble(text, "answer.fvasm").expect("a text without errors");
/// let mut writer = ModuleWriter::new(Cursor::new(Vec::new())).expect("memory takes it");
/// assembly.write(&mut writer).expect("it is within the limits");
/// let bytes = writer.finish().expect("memory takes it").into_inner();
///
/// let module = Module::from_bytes(bytes).expect("what was written can be read");
/// let printed = asm::Assembly::of_module(&module).expect("likewise").print();
/// assert!(printed.expect("a file's chunk has a text").contains("    load_int 40\n"));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Assembly {
    /// The metadata of the module.
    pub metadata: Metadata,
    /// The chunks in their order.
    pub chunks: Vec<(Entry, Chunk)>,
}

impl Assembly {
    /// All of a module.
    ///
    /// # Errors
    /// When a part of the module can't be read.
    pub fn of_module(module: &Module) -> Result<Assembly, LoadError> {
        let metadata = module.metadata()?;
        let mut chunks = Vec::new();
        for record in module.records()? {
            let loaded = record?.load()?;
            chunks.push((loaded.entry(), loaded.into_chunk()));
        }
        Ok(Assembly { metadata, chunks })
    }

    /// Adds metadata and chunks to a module.
    ///
    /// # Errors
    /// When a chunk exceeds a limit of the format or has the name of another, or the output can't be
    /// written.
    pub fn write<W: Write + Seek>(&self, writer: &mut ModuleWriter<W>) -> Result<(), WriteError> {
        for (key, value) in &self.metadata {
            writer.metadata(key.as_str(), value.as_slice());
        }
        for (entry, chunk) in &self.chunks {
            writer.add(entry, chunk)?;
        }
        Ok(())
    }

    /// The text.
    ///
    /// # Errors
    /// As [`print_chunk`].
    pub fn print(&self) -> Result<String, PrintError> {
        let chunks = self.chunks.iter();
        print(&self.metadata, chunks.map(|(entry, chunk)| (entry, chunk)))
    }
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
