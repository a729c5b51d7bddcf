//! The printer: modules and chunks to text that assembles to the same.

use super::lexer::quote;
use super::literal::{self, Unwritable, push, write_name, write_string};
use super::plan::Plan;
use super::{Listing, MAX_TEXT, words};
use crate::chunk::{Chunk, Effect, Import, ImportKind, Touches};
use crate::code::Code;
use crate::format::limits::CONSTANT_NESTING;
use crate::format::{Entry, Metadata};
use crate::op::{Op, OpInfo, Operand, OperandInfo};
use crate::verify::Shape;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A name or constant with a longer text is written once; further mentions go by its index.
const LONG: usize = 60;

/// The column of the comment behind an op.
const COMMENT_COLUMN: usize = 40;

/// How deep blocks are indented at most.
const INDENTED_BLOCKS: usize = 8;

/// What is printed besides the text itself; all of it as comments.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style<'a> {
    /// The index of each op.
    pub offsets: bool,
    /// The bytes of each op in a file.
    pub bytes: bool,
    /// The stack height before each op, from the verified chunk's shape.
    pub heights: Option<&'a Shape>,
    /// The register code of each op, behind it.
    pub lowered: Option<&'a Listing>,
}

/// Why a chunk can't be printed. No chunk from a file gives this, but one built in memory may.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrintError {
    /// A constant is nested deeper than the text form and the file format allow.
    #[error("constant {index} of chunk `{chunk}` is nested deeper than {CONSTANT_NESTING}")]
    TooDeep {
        /// The chunk's name.
        chunk: String,
        /// The index of the constant.
        index: usize,
    },
    /// The text would be longer than [`MAX_TEXT`].
    #[error("the text of chunk `{chunk}` is longer than {MAX_TEXT} bytes")]
    TooLong {
        /// The chunk's name.
        chunk: String,
    },
}

impl PrintError {
    /// The error's code.
    pub fn code(&self) -> Code {
        Code::TextTooLarge
    }
}

/// Prints a module.
///
/// # Errors
/// If a chunk can't be printed.
pub fn print<'a>(
    metadata: &Metadata,
    chunks: impl IntoIterator<Item = (&'a Entry, &'a Chunk)>,
) -> Result<String, PrintError> {
    let mut out = print_metadata(metadata);
    for (entry, chunk) in chunks {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&print_chunk(entry, chunk, &Style::default())?);
        if out.len() > MAX_TEXT {
            return Err(too_long(entry));
        }
    }
    Ok(out)
}

/// Prints the metadata of a module, which stands before its chunks.
pub fn print_metadata(metadata: &Metadata) -> String {
    let mut out = String::new();
    for (key, value) in metadata {
        out.push_str(".meta ");
        write_name(&mut out, key);
        out.push(' ');
        write_string(&mut out, value);
        out.push('\n');
    }
    out
}

/// Prints one chunk.
///
/// # Errors
/// If a constant is nested too deep, or the text would be too long.
pub fn print_chunk(entry: &Entry, chunk: &Chunk, style: &Style<'_>) -> Result<String, PrintError> {
    let texts = constant_texts(entry, chunk)?;
    let symbols = Symbols::new(chunk, &texts);
    let imports = declared_imports(chunk);
    let named = imports.values().filter(|import| !import.name.is_empty());
    let signatures = chunk.signatures.iter();
    let printer = Printer {
        entry,
        chunk,
        style,
        plan: Plan::new(chunk, &symbols),
        // The first one counts, so it is put in last.
        handler_ids: (named.rev())
            .map(|import| ((import.kind, import.name.as_str()), import.id))
            .collect(),
        argument_counts: (signatures.rev())
            .map(|signature| (signature.name, signature.argc))
            .collect(),
        imports,
        name_is_out: vec![false; chunk.names.len()],
        constant_is_out: vec![false; chunk.constants.len()],
        symbols,
        out: String::new(),
        op_bytes: Vec::new(),
    };
    printer.print()
}

fn too_long(entry: &Entry) -> PrintError {
    let chunk = entry.name.clone();
    PrintError::TooLong { chunk }
}

/// The text of each constant.
fn constant_texts(entry: &Entry, chunk: &Chunk) -> Result<Vec<String>, PrintError> {
    let mut room = MAX_TEXT;
    let mut texts = Vec::with_capacity(chunk.constants.len());
    for (index, value) in chunk.constants.iter().enumerate() {
        let mut text = String::new();
        literal::write(&mut text, value, room).map_err(|unwritable| match unwritable {
            Unwritable::TooLong => too_long(entry),
            Unwritable::TooDeep => PrintError::TooDeep {
                chunk: entry.name.clone(),
                index,
            },
        })?;
        room = room.saturating_sub(text.len());
        texts.push(text);
    }
    Ok(texts)
}

/// The texts of names and constants, and which entry is the first of its text.
pub(super) struct Symbols<'c> {
    names: &'c [String],
    constants: &'c [String],
    first_names: HashMap<&'c str, usize>,
    first_constants: HashMap<&'c str, usize>,
}

impl<'c> Symbols<'c> {
    fn new(chunk: &'c Chunk, constants: &'c [String]) -> Symbols<'c> {
        Symbols {
            names: &chunk.names,
            constants,
            first_names: first_indices(&chunk.names),
            first_constants: first_indices(constants),
        }
    }

    /// Whether no name before this one is like it.
    pub(super) fn is_first_name(&self, index: usize) -> bool {
        self.first_names.get(self.names[index].as_str()) == Some(&index)
    }

    /// Whether no constant before this one is like it.
    pub(super) fn is_first_constant(&self, index: usize) -> bool {
        self.first_constants.get(self.constants[index].as_str()) == Some(&index)
    }
}

fn first_indices(texts: &[String]) -> HashMap<&str, usize> {
    let pairs = texts.iter().enumerate().rev();
    pairs.map(|(index, text)| (text.as_str(), index)).collect()
}

/// The imports that the text must declare: all that a file has rows for, but those that calls have by
/// default. A function whose name is not in the name table has no row.
fn declared_imports(chunk: &Chunk) -> BTreeMap<(ImportKind, u16, &str), &Import> {
    let mut declared = BTreeMap::new();
    let names: HashSet<&String> = chunk.names.iter().collect();
    let has_row =
        |import: &&Import| import.kind != ImportKind::Function || names.contains(&import.name);
    for import in chunk.imports.iter().filter(has_row) {
        declared.entry(import.called_as()).or_insert(import);
    }
    for (kind, id) in chunk.called_imports() {
        let (id, name) = match kind {
            ImportKind::Function => (0, chunk.names[usize::from(id)].as_str()),
            ImportKind::Builtin | ImportKind::Extension | ImportKind::ExtensionWide => (id, ""),
        };
        let default = Import::undeclared(kind, id, name);
        if declared.get(&(kind, id, name)) == Some(&&default) {
            declared.remove(&(kind, id, name));
        }
    }
    declared
}

/// Prints one chunk.
struct Printer<'c> {
    entry: &'c Entry,
    chunk: &'c Chunk,
    style: &'c Style<'c>,
    symbols: Symbols<'c>,
    plan: Plan,
    imports: BTreeMap<(ImportKind, u16, &'c str), &'c Import>,
    /// What a handler's name stands for in the text.
    handler_ids: HashMap<(ImportKind, &'c str), u16>,
    argument_counts: HashMap<u16, u8>,
    /// Which names and constants stand in the text so far.
    name_is_out: Vec<bool>,
    constant_is_out: Vec<bool>,
    out: String,
    op_bytes: Vec<u8>,
}

/// How far the code is printed.
struct Position {
    /// The next sub and the next block that stand at their places.
    sub: usize,
    block: usize,
    /// The ends of the blocks that are open, the innermost last.
    open_blocks: Vec<usize>,
    /// The source line that ops have by what is printed.
    line: u32,
}

impl Printer<'_> {
    fn print(mut self) -> Result<String, PrintError> {
        self.head();
        self.imports();
        self.tables();
        self.code()?;
        Ok(self.out)
    }

    fn head(&mut self) {
        let entry = self.entry;
        self.out.push_str(".chunk ");
        write_name(&mut self.out, &entry.name);
        self.out.push('\n');
        if !entry.space.is_empty() {
            self.string_line(".space ", entry.space.as_bytes());
        }
        if !entry.key.is_empty() {
            self.string_line(".key ", &entry.key);
        }
        if let Some(link) = &entry.link {
            let hash = blake3::Hash::from(link.hash).to_hex();
            let (mtime, size) = (link.mtime, link.size);
            let line = format_args!(".link \"{hash}\" mtime {mtime} size {size}\n");
            push(&mut self.out, line);
        }
        if !self.chunk.source.is_empty() {
            self.string_line(".source ", self.chunk.source.as_bytes());
        }
    }

    fn string_line(&mut self, directive: &str, bytes: &[u8]) {
        self.out.push_str(directive);
        write_string(&mut self.out, bytes);
        self.out.push('\n');
    }

    fn imports(&mut self) {
        for ((kind, id, _), import) in &self.imports {
            write_import(&mut self.out, *kind, *id, import);
        }
    }

    /// What of the tables is declared ahead.
    fn tables(&mut self) {
        for index in 0..self.plan.names {
            self.out.push_str(".name ");
            write_name(&mut self.out, &self.chunk.names[index]);
            self.out.push('\n');
            self.name_is_out[index] = true;
        }
        for index in 0..self.plan.constants {
            self.out.push_str(".const ");
            self.out.push_str(&self.symbols.constants[index]);
            self.out.push('\n');
            self.constant_is_out[index] = true;
        }
        for index in 0..self.plan.subs {
            self.sub(index);
            self.out.push_str(" at ");
            self.target(self.chunk.sub_entries[index].1);
            self.out.push('\n');
        }
        for index in 0..self.plan.blocks {
            let (start, end) = self.chunk.block_ranges[index];
            push(&mut self.out, format_args!(".block B{index} from "));
            self.target(start);
            self.out.push_str(" to ");
            self.target(end);
            self.out.push('\n');
        }
    }

    /// A sub's line without its end.
    fn sub(&mut self, index: usize) {
        let (name, _) = self.chunk.sub_entries[index];
        self.out.push_str(".sub ");
        self.name(name);
        if let Some(argc) = self.argument_counts.get(&name) {
            push(&mut self.out, format_args!(" args {argc}"));
        }
    }

    /// The ops, with subs, blocks, labels and lines where they stand.
    fn code(&mut self) -> Result<(), PrintError> {
        let mut at = Position {
            sub: self.plan.subs,
            block: self.plan.blocks,
            open_blocks: Vec::new(),
            line: 0,
        };
        if !self.chunk.ops.is_empty() {
            self.out.push('\n');
        }
        for ip in 0..=self.chunk.ops.len() {
            self.before_op(ip, &mut at);
            let Some(op) = self.chunk.ops.get(ip) else {
                break;
            };
            let start = self.out.len();
            self.indent(at.open_blocks.len());
            let mut notes = self.op(op);
            self.style_notes(ip, op, &mut notes);
            self.comment(start, &notes);
            self.lowered(ip, at.open_blocks.len());
            if self.out.len() > MAX_TEXT {
                return Err(too_long(self.entry));
            }
        }
        Ok(())
    }

    /// What stands between the op before `ip` and the one there.
    fn before_op(&mut self, ip: usize, at: &mut Position) {
        let chunk = self.chunk;
        self.close_blocks(ip, &mut at.open_blocks);
        while chunk.sub_entries.get(at.sub).is_some_and(|sub| sub.1 == ip) {
            self.blank_line();
            self.sub(at.sub);
            self.out.push('\n');
            at.sub += 1;
        }
        while let Some((start, end)) = chunk.block_ranges.get(at.block)
            && *start == ip
        {
            if at.open_blocks.is_empty() {
                self.blank_line();
            }
            self.indent(at.open_blocks.len());
            push(&mut self.out, format_args!(".block B{}\n", at.block));
            at.open_blocks.push(*end);
            at.block += 1;
            // An empty one ends at once.
            self.close_blocks(ip, &mut at.open_blocks);
        }
        if self.plan.labels[ip] != 0 {
            push(&mut self.out, format_args!("L{}:\n", self.plan.labels[ip]));
        }
        let line = chunk.lines.get(ip).copied().unwrap_or(0);
        if line != at.line && ip < chunk.ops.len() {
            at.line = line;
            self.indent(at.open_blocks.len());
            push(&mut self.out, format_args!(".line {line}\n"));
        }
    }

    fn blank_line(&mut self) {
        if !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// Closes the open blocks that end before the op.
    fn close_blocks(&mut self, ip: usize, open_blocks: &mut Vec<usize>) {
        while open_blocks.last() == Some(&ip) {
            open_blocks.pop();
            self.indent(open_blocks.len());
            self.out.push_str(".endblock\n");
        }
    }

    /// Indents what stands within so many blocks; of many not each counts, to bound the text.
    fn indent(&mut self, blocks: usize) {
        for _ in 0..=blocks.min(INDENTED_BLOCKS) {
            self.out.push_str("    ");
        }
    }

    /// An op; gives notes on operands that stand there by their index only.
    fn op(&mut self, op: &Op) -> Vec<String> {
        let info = op.info();
        self.out.push_str(info.mnemonic);
        let mut notes = Vec::new();
        for (operand, row) in op.operands().iter().zip(info.operands) {
            self.out.push(' ');
            self.operand(info, row, *operand, &mut notes);
        }
        notes
    }

    /// Ends the line that began at `start` with the notes as its comment.
    fn comment(&mut self, start: usize, notes: &[String]) {
        if !notes.is_empty() {
            let column = self.out[start..].chars().take(COMMENT_COLUMN).count();
            let padding = COMMENT_COLUMN.saturating_sub(column).max(1);
            let notes = notes.join("  ");
            push(&mut self.out, format_args!("{:padding$}; {notes}", ""));
        }
        self.out.push('\n');
    }

    /// What the style asks for, to be shown behind the op.
    fn style_notes(&mut self, ip: usize, op: &Op, notes: &mut Vec<String>) {
        if self.style.offsets {
            notes.push(format!("@{ip}"));
        }
        if self.style.bytes {
            self.op_bytes.clear();
            op.encode(&mut self.op_bytes);
            let bytes = self.op_bytes.iter();
            let bytes: Vec<String> = bytes.map(|byte| format!("{byte:02x}")).collect();
            notes.push(bytes.join(" "));
        }
        if let Some(shape) = self.style.heights {
            notes.push(match shape.height_at(ip) {
                Some(height) => format!("height {height}"),
                None => "unreachable".to_owned(),
            });
        }
    }

    /// The register code of the op, if the style asks for it.
    fn lowered(&mut self, ip: usize, open_blocks: usize) {
        let names = &self.chunk.names;
        let name_of = |name: u16| match names.get(usize::from(name)) {
            Some(text) if text.len() <= LONG => {
                let mut quoted = String::new();
                write_name(&mut quoted, text);
                quoted
            }
            _ => format!("#{name}"),
        };
        for line in self
            .style
            .lowered
            .into_iter()
            .flat_map(|l| l.lines_of(ip, name_of))
        {
            self.indent(open_blocks);
            push(&mut self.out, format_args!("    ; {line}\n"));
        }
    }

    fn operand(
        &mut self,
        info: &OpInfo,
        row: &OperandInfo,
        operand: Operand,
        notes: &mut Vec<String>,
    ) {
        match operand {
            Operand::Int(n) => push(&mut self.out, format_args!("{n}")),
            Operand::Imm(n) => push(&mut self.out, format_args!("{n}")),
            Operand::Float(number) => literal::write_float(&mut self.out, number),
            Operand::Slot(n) | Operand::Count(n) => push(&mut self.out, format_args!("{n}")),
            Operand::Count8(n) | Operand::Argc(n) => push(&mut self.out, format_args!("{n}")),
            Operand::Payload(n) => push(&mut self.out, format_args!("{n}")),
            Operand::Target(target) => self.target(target),
            Operand::Const(index) => notes.extend(self.constant(index)),
            Operand::Name(index) => notes.extend(self.name(index)),
            Operand::Block(index) => {
                let known = usize::from(index) < self.chunk.block_ranges.len();
                let mark = if known { 'B' } else { '#' };
                push(&mut self.out, format_args!("{mark}{index}"));
            }
            Operand::Code(code) => {
                let word = words::of_codes(row).iter().find(|(c, _)| *c == code);
                match word {
                    Some((_, word)) => self.out.push_str(word),
                    None => push(&mut self.out, format_args!("{code}")),
                }
            }
            Operand::Id(id) => self.handler(super::parser::kind_called_by(info), id),
        }
    }

    /// A label, or the bare index where there can be none.
    fn target(&mut self, target: usize) {
        match self.plan.labels.get(target) {
            Some(label) => push(&mut self.out, format_args!("L{label}")),
            None => push(&mut self.out, format_args!("@{target}")),
        }
    }

    /// A constant; gives a note if it stands there by its index only.
    fn constant(&mut self, index: u16) -> Option<String> {
        let at = usize::from(index);
        let text = self.symbols.constants.get(at);
        let is_first = text.is_some() && self.symbols.is_first_constant(at);
        let is_out = self.constant_is_out.get_mut(at);
        mention(&mut self.out, index, text, is_first, is_out, |out, text| {
            out.push_str(text)
        })
    }

    /// A name; gives a note if it stands there by its index only.
    fn name(&mut self, index: u16) -> Option<String> {
        let at = usize::from(index);
        let text = self.symbols.names.get(at);
        let is_first = text.is_some() && self.symbols.is_first_name(at);
        let is_out = self.name_is_out.get_mut(at);
        mention(&mut self.out, index, text, is_first, is_out, write_name)
    }

    /// A handler's name if that tells it from the others of its kind, else its number.
    fn handler(&mut self, kind: ImportKind, id: u16) {
        let import = self.imports.get(&(kind, id, ""));
        let name = import.map(|import| import.name.as_str());
        let name = name.filter(|name| name.len() <= LONG);
        match name.filter(|name| self.handler_ids.get(&(kind, *name)) == Some(&id)) {
            Some(name) => write_name(&mut self.out, name),
            None => push(&mut self.out, format_args!("{id}")),
        }
    }
}

/// Writes an entry of a table by its text, or by its index where the text would mean another entry
/// or is long and stands there already; then gives a note that shows it.
fn mention(
    out: &mut String,
    index: u16,
    text: Option<&String>,
    is_first: bool,
    is_out: Option<&mut bool>,
    write: impl Fn(&mut String, &str),
) -> Option<String> {
    let (Some(text), Some(is_out)) = (text, is_out) else {
        push(out, format_args!("#{index}"));
        return None;
    };
    if is_first && !(*is_out && text.len() > LONG) {
        *is_out = true;
        write(out, text);
        return None;
    }
    push(out, format_args!("#{index}"));
    let mut shown = String::new();
    write(&mut shown, &quote(text));
    Some(shown)
}

fn write_import(out: &mut String, kind: ImportKind, id: u16, import: &Import) {
    let word = words::IMPORT_KINDS.iter().find(|(k, _)| *k == kind);
    push(
        out,
        format_args!(".import {}", word.map_or("", |(_, word)| word)),
    );
    if kind != ImportKind::Function {
        push(out, format_args!(" {id}"));
    }
    if kind == ImportKind::Function || !import.name.is_empty() {
        out.push(' ');
        match words::IMPORT_CLAUSES.contains(&import.name.as_str()) {
            true => write_string(out, import.name.as_bytes()),
            false => write_name(out, &import.name),
        }
    }
    if !import.space.is_empty() {
        out.push_str(" space ");
        write_name(out, &import.space);
    }
    match import.effect {
        Effect::Arguments { pushes } => push(out, format_args!(" pops argc pushes {pushes}")),
        Effect::Fixed { pops, pushes } => {
            push(out, format_args!(" pops {pops} pushes {pushes}"));
        }
        Effect::Unknown => out.push_str(" unknown"),
    }
    out.push_str(" touches");
    match import.touches {
        Touches::ARGUMENTS => out.push_str(" nothing"),
        Touches::EVERYTHING => out.push_str(" everything"),
        touches => {
            for (touched, word) in words::TOUCHES {
                if touches.contains(*touched) {
                    push(out, format_args!(" {word}"));
                }
            }
        }
    }
    out.push('\n');
}
