//! `fusevm cache explain`: what a run of a module would take from the cache, and why not the rest.

use super::Place;
use crate::failure::{Failure, status};
use crate::input;
use crate::output;
use fusevm::Chunk;
use fusevm::jit::cache::{KeptChunk, KeptPart, Part};
use serde::Serialize;
use std::path::Path;

/// A part of a chunk, as `--json` tells of it.
#[derive(Serialize)]
struct Row {
    chunk: String,
    /// `chunk` for all of it, `sub`, or `loop`.
    part: &'static str,
    /// The sub's name.
    name: Option<String>,
    /// The op that it begins with, and its line if that is known.
    op: usize,
    line: Option<u32>,
    hit: bool,
    /// Why it isn't one.
    reason: Option<&'static str>,
    bytes: Option<usize>,
    kinds: Vec<&'static str>,
}

/// Explains each chunk of a module.
///
/// # Errors
/// The module or a chunk can't be loaded, or the cache isn't fit for code.
pub(super) fn run(place: &Place, file: &Path, json: bool) -> Result<u8, Failure> {
    let module = input::open(file)?;
    let engine = place.engine(&module);
    let mut rows = Vec::new();
    for chunk in input::chunks(&module)? {
        let chunk = chunk?;
        let name = output::full_name(chunk.space(), chunk.name());
        let mut vm = engine.vm(&engine.loaded(chunk));
        let KeptChunk { parts, reason } = vm.kept_code().map_err(|unfit| place.refused(&unfit))?;
        let has_code = parts.iter().any(|part| part.kept.is_ok());
        rows.push(Row {
            chunk: name.clone(),
            part: "chunk",
            name: None,
            op: 0,
            line: None,
            hit: has_code,
            reason: (!has_code).then(|| reason.name()),
            bytes: None,
            kinds: Vec::new(),
        });
        rows.extend(parts.iter().map(|part| Row::of(&name, vm.running(), part)));
    }
    if json {
        output::print_json(&rows)?;
    } else {
        output::print_text(&rows.iter().map(Row::line).collect::<String>())?;
    }
    Ok(status::OK)
}

impl Row {
    fn of(name: &str, chunk: &Chunk, part: &KeptPart) -> Row {
        let (kind, sub) = match part.part {
            Part::Sub(name) => ("sub", chunk.names.get(usize::from(name)).cloned()),
            Part::Loop => ("loop", None),
        };
        let kept = part.kept.as_ref();
        Row {
            chunk: name.to_owned(),
            part: kind,
            name: sub,
            op: part.op,
            line: chunk.lines.get(part.op).copied().filter(|line| *line > 0),
            hit: kept.is_ok(),
            reason: kept.err().map(|miss| miss.name()),
            bytes: kept.ok().map(|code| code.bytes),
            kinds: kept.map_or_else(|_| Vec::new(), |code| code.kinds.clone()),
        }
    }

    /// The row for people.
    fn line(&self) -> String {
        let outcome = if self.hit { "hit " } else { "miss" };
        let mut text = match (self.part, &self.name) {
            ("chunk", _) => format!("{outcome} {}", output::shown(&self.chunk)),
            (part, Some(name)) => format!("{outcome}   {part} {}", output::shown(name)),
            (part, None) => format!("{outcome}   {part} at op {}", self.op),
        };
        if let Some(line) = self.line {
            text += &format!(", line {line}");
        }
        if let Some(reason) = self.reason {
            text += &format!(": {reason}");
        }
        if let Some(bytes) = self.bytes {
            text += &format!(": {bytes} bytes");
        }
        if !self.kinds.is_empty() {
            text += &format!(" for {}", self.kinds.join(" "));
        }
        text + "\n"
    }
}
