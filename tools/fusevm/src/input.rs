//! The files that commands read: modules, assembly text, and plain bytes; `-` is standard input.

use crate::failure::{Failure, status};
use fusevm::asm::{self, Assembly};
use fusevm::code::Code;
use fusevm::format::{LoadError, LoadedChunk, Module, ModuleWriter, Record, WriteError};
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

/// What a module file begins with; what does begin so is never text.
const MODULE_MARK: u8 = 0x89;

/// How much of a file is looked at to tell what it is.
const SNIFFED: usize = 512;

/// The largest module that is taken from standard input.
const MAX_PIPED_MODULE: u64 = 4 << 30;

/// How messages name the file.
pub(crate) fn place(path: &Path) -> Cow<'_, str> {
    if is_stdin(path) {
        Cow::Borrowed("<standard input>")
    } else {
        path.to_string_lossy()
    }
}

/// Whether the argument means standard input.
fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Opens a module: a `.fvbc` file, or assembly text, which becomes one in memory.
///
/// # Errors
/// The file isn't there, can't be read, is neither, or is damaged; or the text has errors.
pub(crate) fn open(path: &Path) -> Result<Module, Failure> {
    if is_stdin(path) {
        let bytes = read(path, MAX_PIPED_MODULE)?;
        return if is_text(&bytes) {
            open_text(&bytes, path)
        } else {
            Module::from_named_bytes(bytes, &*place(path)).map_err(|error| cant_load(&error))
        };
    }
    let sniffed = sniff(path).map_err(|error| unreadable(path, &error))?;
    let named_as_module = path
        .extension()
        .is_some_and(|extension| extension == "fvbc");
    if named_as_module || !is_text(&sniffed) {
        return Module::open(path).map_err(|error| cant_load(&error));
    }
    open_text(&read(path, asm::MAX_TEXT as u64)?, path)
}

/// Makes a module of assembly text, in memory.
fn open_text(text: &[u8], path: &Path) -> Result<Module, Failure> {
    let assembly = assemble_text(text, path, status::CANT_LOAD)?;
    let written = write(&assembly);
    let bytes = written.map_err(|error| Failure::of(status::CANT_LOAD, error.code(), &error))?;
    Module::from_named_bytes(bytes, &*place(path)).map_err(|error| cant_load(&error))
}

fn write(assembly: &Assembly) -> Result<Vec<u8>, WriteError> {
    let mut writer = ModuleWriter::new(Cursor::new(Vec::new()))?;
    assembly.write(&mut writer)?;
    Ok(writer.finish()?.into_inner())
}

/// Reads an assembly text.
///
/// # Errors
/// The file can't be read, or the text has errors, which are all told with the status given.
pub(crate) fn assemble(path: &Path, status: u8) -> Result<Assembly, Failure> {
    let text = read(path, asm::MAX_TEXT as u64)?;
    assemble_text(&text, path, status)
}

fn assemble_text(text: &[u8], path: &Path, status: u8) -> Result<Assembly, Failure> {
    let text = without_interpreter_line(text);
    asm::assemble(text, &place(path)).map_err(|errors| {
        let code = errors.first().code;
        Failure::of(status, code, &errors)
    })
}

/// The chunk that `NAME` or `SPACE::NAME` names. A chunk of the default name space with all of that
/// as its name goes first.
///
/// # Errors
/// There is none, or it can't be loaded.
pub(crate) fn chunk(module: &Module, name: &str) -> Result<LoadedChunk, Failure> {
    let found = match module.chunk(name) {
        Err(error) if error.code() == Code::NoSuchChunk => match name.split_once("::") {
            Some((space, name)) => module
                .find(space, name)
                .and_then(|chunk| chunk.ok_or(error)),
            None => Err(error),
        },
        found => found,
    };
    found.map_err(|error| cant_load(&error))
}

/// All chunks of a module, loaded one after the other, in the module's order.
///
/// # Errors
/// The index can't be read; or, within, a chunk can't be loaded.
pub(crate) fn chunks(
    module: &Module,
) -> Result<impl Iterator<Item = Result<LoadedChunk, Failure>> + use<>, Failure> {
    let records = module.records().map_err(|error| cant_load(&error))?;
    Ok(records.map(|record| {
        let chunk = record.and_then(Record::load);
        chunk.map_err(|error| cant_load(&error))
    }))
}

/// The failure to load a module; one that isn't there has a status of its own.
pub(crate) fn cant_load(error: &LoadError) -> Failure {
    let status = match error.code() {
        Code::NoSuchChunk => status::NOT_FOUND,
        _ => status::CANT_LOAD,
    };
    Failure::of(status, error.code(), error)
}

/// Whether a file that begins so is assembly text. A script for another interpreter isn't.
fn is_text(beginning: &[u8]) -> bool {
    let sniffed = &beginning[..beginning.len().min(SNIFFED)];
    if let Some(line) = sniffed.strip_prefix(b"#!") {
        return names_fusevm(line);
    }
    let is_control = |byte: &u8| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r');
    sniffed.first() != Some(&MODULE_MARK) && !sniffed.iter().any(is_control)
}

/// Whether the first line, behind its `#!`, names fusevm.
fn names_fusevm(line: &[u8]) -> bool {
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or(line);
    String::from_utf8_lossy(line).contains("fusevm")
}

/// The text with its `#!` line made a comment, as the system, not the assembler, reads it.
fn without_interpreter_line(text: &[u8]) -> Cow<'_, [u8]> {
    if !text.starts_with(b"#!") || !is_text(text) {
        return Cow::Borrowed(text);
    }
    let mut text = text.to_vec();
    text[0] = b';';
    Cow::Owned(text)
}

/// The first bytes of a regular file.
fn sniff(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(SNIFFED);
    let file = open_regular(path)?;
    file.take(SNIFFED as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads a whole regular file, or standard input, of at most `limit` bytes.
///
/// # Errors
/// It isn't there, is no regular file, can't be read, or is larger.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if is_stdin(path) {
        io::stdin().lock().take(limit + 1).read_to_end(&mut bytes)
    } else {
        open_regular(path).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes))
    };
    match read {
        Ok(_) if bytes.len() as u64 > limit => {
            let detail = format!("it has more than {limit} bytes");
            let (status, code) = (status::CANT_LOAD, Code::OverLimit);
            Err(Failure::new(status, code, Some(&place(path)), detail))
        }
        Ok(_) => Ok(bytes),
        Err(error) => Err(unreadable(path, &error)),
    }
}

/// Opens a regular file. Others are refused before they are opened: to open a pipe is to wait for its
/// writer.
fn open_regular(path: &Path) -> io::Result<File> {
    let metadata = std::fs::metadata(path)?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    File::open(path)
}

/// The failure to read a file; one that isn't there has a status of its own.
fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let status = match error.kind() {
        io::ErrorKind::NotFound => status::NOT_FOUND,
        _ => status::CANT_LOAD,
    };
    Failure::new(status, Code::Unreadable, Some(&place(path)), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_told_from_other_files() {
        for text in [
            "",
            "load_int 1\n",
            "; ü\r\n\tpop",
            "#!/usr/bin/env -S fusevm run\n",
        ] {
            assert!(is_text(text.as_bytes()), "{text:?}");
        }
        let others: [&[u8]; 4] = [
            b"\x89FVBC",
            b"\x7fELF",
            b"#!/bin/sh\necho fusevm\n",
            b"a\0b",
        ];
        for bytes in others {
            assert!(!is_text(bytes), "{bytes:?}");
        }
    }

    #[test]
    fn an_interpreter_line_becomes_a_comment() {
        let text = without_interpreter_line(b"#!/usr/bin/fusevm run\npop");
        assert_eq!(&*text, b";!/usr/bin/fusevm run\npop");
        assert_eq!(&*without_interpreter_line(b"#0"), b"#0");
    }
}
