//! The body of a record (2.2): what a chunk means, without its name, source and lines.

use super::constants::{self, Pool};
use super::cursor::{Cursor, Span, write_bytes};
use super::error::{LoadError, WriteError};
use super::{imports, limits};
use crate::chunk::{Chunk, Signature};
use crate::code::Code;
use crate::op::{self, DecodeError, Op, leb};
use crate::verify::{self, CodeView, ImportRow, Proof, Sub, Verifier};
use std::collections::HashSet;

/// A chunk's body in bytes.
pub(crate) struct Encoded {
    pub(crate) bytes: Vec<u8>,
    /// The lowest level of the opset that has all of the ops.
    pub(crate) opset_level: u16,
}

/// The bytes of a chunk's body. The chunk is verified, and is strict or loose by that.
///
/// # Errors
/// When it exceeds a limit of the format, or has a block that ends before it begins.
pub(crate) fn encode(chunk: &Chunk) -> Result<Encoded, WriteError> {
    check_limits(chunk)?;
    let imports = imports::Table::of(chunk);
    let subs = verify::subs(chunk);
    let verified = verify::verify(&CodeView {
        ops: &chunk.ops,
        constants: chunk.constants.len(),
        names: chunk.names.len(),
        subs: &subs,
        blocks: &chunk.block_ranges,
        imports: &imports.rows,
    });
    let mut code = Vec::with_capacity(chunk.ops.len() * 4);
    for op in &chunk.ops {
        op.encode(&mut code);
    }

    let mut out = Vec::with_capacity(code.len() * 2);
    let height = verified.map_or(0, |shape| shape.height() + 1);
    leb::write_unsigned(&mut out, u64::from(height));
    leb::write_unsigned(&mut out, chunk.ops.len() as u64);
    leb::write_unsigned(&mut out, code.len() as u64);
    constants::encode(&mut out, &chunk.constants)?;
    leb::write_unsigned(&mut out, chunk.names.len() as u64);
    for name in &chunk.names {
        write_bytes(&mut out, name.as_bytes());
    }
    encode_subs(&mut out, &subs);
    encode_blocks(&mut out, &chunk.block_ranges)?;
    check_rows("imports", imports.rows.len())?;
    imports.encode(&mut out);
    out.extend_from_slice(&code);
    Ok(Encoded {
        bytes: out,
        opset_level: chunk.ops.iter().map(op::level_of).max().unwrap_or(1),
    })
}

fn check_limits(chunk: &Chunk) -> Result<(), WriteError> {
    if chunk.ops.len() > limits::OPS {
        return Err(WriteError::over_limit("ops", chunk.ops.len(), limits::OPS));
    }
    check_rows("constants", chunk.constants.len())?;
    check_rows("names", chunk.names.len())?;
    check_rows("subs", chunk.sub_entries.len())?;
    check_rows("blocks", chunk.block_ranges.len())
}

fn check_rows(what: &str, rows: usize) -> Result<(), WriteError> {
    if rows > limits::TABLE_ROWS {
        return Err(WriteError::over_limit(what, rows, limits::TABLE_ROWS));
    }
    Ok(())
}

fn encode_subs(out: &mut Vec<u8>, subs: &[Sub]) {
    leb::write_unsigned(out, subs.len() as u64);
    for sub in subs {
        leb::write_unsigned(out, u64::from(sub.name));
        leb::write_unsigned(out, sub.entry as u64);
        leb::write_unsigned(out, sub.argc.map_or(0, |argc| u64::from(argc) + 1));
    }
}

fn encode_blocks(out: &mut Vec<u8>, blocks: &[(usize, usize)]) -> Result<(), WriteError> {
    leb::write_unsigned(out, blocks.len() as u64);
    for (index, (start, end)) in blocks.iter().enumerate() {
        let length = end.checked_sub(*start).ok_or_else(|| {
            let message = format_args!("block {index} ends before it begins").to_string();
            WriteError::new(Code::BadBlock, message)
        })?;
        leb::write_unsigned(out, *start as u64);
        leb::write_unsigned(out, length as u64);
    }
    Ok(())
}

/// A body as it was read. Spans are places in the record.
#[derive(Debug, Default)]
pub(crate) struct Body {
    /// The declared greatest stack height; `None` in a loose chunk.
    pub(crate) height: Option<u32>,
    pub(crate) constants: Pool,
    pub(crate) names: Vec<Span>,
    pub(crate) subs: Vec<Sub>,
    pub(crate) blocks: Vec<(usize, usize)>,
    pub(crate) imports: Vec<ImportRow>,
    pub(crate) import_texts: Vec<(Span, Span)>,
    /// How many ops there are.
    pub(crate) op_count: usize,
    pub(crate) ops: Vec<Op>,
    /// The lowest level of the opset that has all of the ops.
    pub(crate) opset_level: u16,
    /// Whether it was proved strict, of the declared height, when it was decoded.
    pub(crate) is_proved: bool,
}

/// What becomes of the ops of a body that is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ops {
    /// They are kept.
    Keep,
    /// They are kept unless the body is proved strict.
    Check,
}

impl Body {
    /// Reads the body that `cursor` is at, in place of what was there before. `record` is what the
    /// cursor's positions count in. If it says that it is strict, and is so in a way that is proved on
    /// the way, the verifier has the shape; else verification is left to the caller.
    pub(crate) fn decode(
        &mut self,
        mut cursor: Cursor<'_>,
        record: &[u8],
        ops: Ops,
        verifier: &mut Verifier,
    ) -> Result<(), LoadError> {
        self.clear();
        let height = cursor.limited("stack height", limits::STACK_HEIGHT as usize + 1)?;
        self.height = (height as u32).checked_sub(1);
        let op_count = cursor.limited("ops", limits::OPS)?;
        let code_length = cursor.index("code length")?;
        self.constants.decode(&mut cursor, record)?;
        self.decode_names(&mut cursor, record)?;
        self.decode_subs(&mut cursor)?;
        self.decode_blocks(&mut cursor)?;
        imports::decode(
            &mut cursor,
            self.names.len(),
            &mut self.imports,
            &mut self.import_texts,
        )?;
        if code_length != cursor.left() {
            let found = format_args!("{} bytes of code", cursor.left()).to_string();
            let error = LoadError::structure(found, code_length);
            return Err(error.at(cursor.position() as u64));
        }
        self.op_count = op_count;
        let code = &record[cursor.position()..][..code_length];
        self.prove(code, ops, verifier);
        if self.is_proved {
            return Ok(());
        }
        self.decode_ops(code)
            .map_err(|error| error.relative_to(cursor.position() as u64))
    }

    /// Decodes and proves the code, if it is strict, and in a simple way.
    fn prove(&mut self, code: &[u8], keep: Ops, verifier: &mut Verifier) {
        let Some(height) = self.height else { return };
        let mut ops = std::mem::take(&mut self.ops);
        let view = self.view();
        let proof = match keep {
            Ops::Keep => verifier.prove(code, self.op_count, &view, &mut ops),
            Ops::Check => verifier.prove(code, self.op_count, &view, &mut ()),
        };
        self.ops = ops;
        match proof {
            Some(Proof {
                height: proved,
                opset_level,
            }) if proved == height => {
                self.opset_level = opset_level;
                self.is_proved = true;
            }
            _ => self.ops.clear(),
        }
    }

    fn clear(&mut self) {
        self.names.clear();
        self.subs.clear();
        self.blocks.clear();
        self.imports.clear();
        self.import_texts.clear();
        self.ops.clear();
        self.is_proved = false;
    }

    fn decode_names(&mut self, cursor: &mut Cursor<'_>, record: &[u8]) -> Result<(), LoadError> {
        let count = cursor.count("names", limits::TABLE_ROWS)?;
        self.names.reserve(count);
        let mut ahead = cursor.clone();
        while self.names.len() < count
            && let Ok(name) = ahead.bytes("a name")
        {
            self.names.push(name);
        }
        let all = &record[cursor.position()..ahead.position()];
        if self.names.len() == count && all.is_ascii() {
            *cursor = ahead;
            return Ok(());
        }
        // Not all are ASCII, or of less than 128 bytes; or there is an error.
        self.names.clear();
        for _ in 0..count {
            self.names.push(cursor.text("a name")?);
        }
        Ok(())
    }

    fn decode_subs(&mut self, cursor: &mut Cursor<'_>) -> Result<(), LoadError> {
        for _ in 0..cursor.count("subs", limits::TABLE_ROWS)? {
            let name = cursor.u16("a sub's name")?;
            let entry = cursor.index("a sub's entry")?;
            let argc = cursor.limited("arguments", 256)?;
            self.subs.push(Sub {
                name,
                entry,
                argc: argc.checked_sub(1).map(|argc| argc as u8),
            });
        }
        Ok(())
    }

    fn decode_blocks(&mut self, cursor: &mut Cursor<'_>) -> Result<(), LoadError> {
        for _ in 0..cursor.count("blocks", limits::TABLE_ROWS)? {
            let position = cursor.position() as u64;
            let start = cursor.index("a block's start")?;
            let length = cursor.index("a block's length")?;
            let end = start.checked_add(length).ok_or_else(|| {
                LoadError::structure("a block without an end", "an op index").at(position)
            })?;
            self.blocks.push((start, end));
        }
        Ok(())
    }

    fn decode_ops(&mut self, code: &[u8]) -> Result<(), LoadError> {
        let length = Op::decode_all(code, self.op_count, &mut self.ops).map_err(bad_op)?;
        if length != code.len() {
            let found = format!("{} bytes behind the last op", code.len() - length);
            return Err(LoadError::structure(found, "none").at(length as u64));
        }
        let levels = self.ops.iter().map(op::level_of);
        self.opset_level = levels.max().unwrap_or(1);
        Ok(())
    }

    /// What the verifier looks at.
    pub(crate) fn view(&self) -> CodeView<'_> {
        CodeView {
            ops: &self.ops,
            constants: self.constants.len(),
            names: self.names.len(),
            subs: &self.subs,
            blocks: &self.blocks,
            imports: &self.imports,
        }
    }

    /// The chunk that has this body, whose record is `record`, and the ops.
    pub(crate) fn to_chunk(&self, record: &[u8], ops: Vec<Op>) -> Chunk {
        let mut chunk = Chunk {
            ops,
            constants: self.constants.to_values(record),
            names: self
                .names
                .iter()
                .map(|name| name.text_of(record).to_owned())
                .collect(),
            sub_entries: self.subs.iter().map(|sub| (sub.name, sub.entry)).collect(),
            block_ranges: self.blocks.clone(),
            signatures: signatures(&self.subs),
            ..Chunk::default()
        };
        chunk.imports = imports::declarations(&chunk, &self.imports, &self.import_texts, record);
        chunk.op_hash = chunk.compute_op_hash();
        chunk
    }
}

/// The declared argument counts, one for each name.
fn signatures(subs: &[Sub]) -> Vec<Signature> {
    let mut seen = HashSet::new();
    let declared = subs.iter().filter_map(|sub| {
        let argc = sub.argc?;
        let name = sub.name;
        seen.insert(name).then_some(Signature { name, argc })
    });
    declared.collect()
}

#[cold]
fn bad_op((index, at, error): (usize, usize, DecodeError)) -> LoadError {
    match error {
        DecodeError::Opcode(byte) => {
            LoadError::new(Code::BadOpcode).with_found(format_args!("opcode {byte:#04x}"))
        }
        DecodeError::Operand(name) => {
            LoadError::new(Code::BadOperand).with_found(format_args!("a malformed `{name}`"))
        }
        DecodeError::Short => LoadError::new(Code::CodeTooShort).with_found("the end"),
    }
    .with_op(index)
    .at(at as u64)
}
