//! The chunk that is being assembled: its tables, its symbols, and the references still open.

use super::cursor::Cursor;
use super::error::{Complaint, Span};
use super::literal;
use super::parser::{Read, target};
use crate::chunk::{Chunk, ChunkBuilder, Import, ImportKind, Signature};
use crate::code::Code;
use crate::format::limits::{OPS, TABLE_ROWS};
use crate::format::{Entry, SourceLink};
use crate::op::{Op, Operand};
use crate::value::Value;
use std::collections::HashMap;

/// What a reference is to; it may be defined behind it.
pub(super) enum Symbol<'t> {
    Label(&'t str),
    Block(&'t str),
    /// A handler by its name in the import table.
    Import(ImportKind, String),
}

/// Where the number goes that a reference is resolved to.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Operand { op: usize, index: usize },
    SubEntry(usize),
    BlockStart(usize),
    BlockEnd(usize),
}

struct Reference<'t> {
    symbol: Symbol<'t>,
    place: Place,
    span: Span,
}

/// The source line that ops get.
#[derive(Clone, Copy)]
pub(super) enum LineOf {
    Source(u32),
    /// The line of the text itself.
    Text,
}

/// Names of slots: those of the chunk, or of one sub.
#[derive(Default)]
struct Slots<'t> {
    numbers: HashMap<&'t str, u16>,
    next: u32,
}

/// A table of named entries, each with its first index.
struct Interned<T> {
    entries: Vec<T>,
    indices: HashMap<String, u16>,
}

impl<T> Default for Interned<T> {
    fn default() -> Self {
        Interned {
            entries: Vec::new(),
            indices: HashMap::new(),
        }
    }
}

impl<T> Interned<T> {
    /// Appends the entry, which later `find`s of its key give unless an earlier one has it.
    fn append(&mut self, key: String, entry: T, what: &str, span: Span) -> Result<u16, Complaint> {
        let index = next_index(self.entries.len(), what, span)?;
        self.entries.push(entry);
        self.indices.entry(key).or_insert(index);
        Ok(index)
    }
}

fn next_index(len: usize, what: &str, span: Span) -> Result<u16, Complaint> {
    let full = || {
        let message = format!("more than {TABLE_ROWS} {what} in a chunk");
        Complaint::new(Code::TableFull, span, message)
    };
    u16::try_from(len).map_err(|_| full())
}

fn twice(what: &str, name: &str, span: Span) -> Complaint {
    let name = super::lexer::quote(name);
    let message = format!("the {what} `{name}` is already there");
    Complaint::new(Code::DuplicateSymbol, span, message)
}

/// The tables of a chunk while its text is read.
pub(super) struct Tables<'t> {
    name: String,
    pub(super) space: Option<String>,
    pub(super) key: Option<Vec<u8>>,
    pub(super) link: Option<SourceLink>,
    pub(super) source: Option<String>,
    pub(super) line: LineOf,
    ops: Vec<Op>,
    lines: Vec<u32>,
    constants: Interned<Value>,
    constant_names: HashMap<&'t str, u16>,
    names: Interned<String>,
    subs: Vec<(u16, usize)>,
    signatures: HashMap<u16, u8>,
    blocks: Vec<(usize, usize)>,
    block_names: HashMap<&'t str, u16>,
    open_blocks: Vec<(u16, Span)>,
    labels: HashMap<&'t str, usize>,
    imports: HashMap<(ImportKind, u16, String), Import>,
    import_ids: HashMap<(ImportKind, String), u16>,
    slots: Slots<'t>,
    /// The slot names of the sub that is open.
    sub_slots: Option<Slots<'t>>,
    references: Vec<Reference<'t>>,
}

impl<'t> Tables<'t> {
    pub(super) fn new(name: String) -> Tables<'t> {
        Tables {
            name,
            space: None,
            key: None,
            link: None,
            source: None,
            line: LineOf::Source(0),
            ops: Vec::new(),
            lines: Vec::new(),
            constants: Interned::default(),
            constant_names: HashMap::new(),
            names: Interned::default(),
            subs: Vec::new(),
            signatures: HashMap::new(),
            blocks: Vec::new(),
            block_names: HashMap::new(),
            open_blocks: Vec::new(),
            labels: HashMap::new(),
            imports: HashMap::new(),
            import_ids: HashMap::new(),
            slots: Slots::default(),
            sub_slots: None,
            references: Vec::new(),
        }
    }

    /// Appends an op that stands on the given line of the text. `symbols` are those of its operands
    /// that are yet to be resolved, each with the operand's index.
    pub(super) fn emit(
        &mut self,
        op: Op,
        symbols: Vec<(usize, Symbol<'t>, Span)>,
        text_line: u32,
        span: Span,
    ) -> Result<(), Complaint> {
        if self.ops.len() == OPS {
            let message = format!("more than {OPS} ops in a chunk");
            return Err(Complaint::new(Code::TextTooLarge, span, message));
        }
        self.ops.push(op);
        self.lines.push(match self.line {
            LineOf::Source(line) => line,
            LineOf::Text => text_line,
        });
        let op = self.ops.len() - 1;
        for (index, symbol, span) in symbols {
            self.refer(symbol, Place::Operand { op, index }, span);
        }
        Ok(())
    }

    /// Notes that `symbol`, seen at `span`, is to be filled in at `place`.
    fn refer(&mut self, symbol: Symbol<'t>, place: Place, span: Span) {
        self.references.push(Reference {
            symbol,
            place,
            span,
        });
    }

    /// Reads a target for an entry of the tables.
    pub(super) fn place(
        &mut self,
        place: Place,
        cursor: &mut Cursor<'_, 't>,
    ) -> Result<(), Complaint> {
        match target(cursor)? {
            Read::Number(number) => self.fill(place, number.bits() as usize),
            Read::Symbol(symbol, span, _) => self.refer(symbol, place, span),
        }
        Ok(())
    }

    pub(super) fn define_label(&mut self, name: &'t str, span: Span) -> Result<(), Complaint> {
        match self.labels.insert(name, self.ops.len()) {
            None => Ok(()),
            Some(_) => {
                let message = format!("the label `{}` is already there", super::lexer::quote(name));
                Err(Complaint::new(Code::DuplicateLabel, span, message))
            }
        }
    }

    /// The index of the first constant that is the same to the bit, which is added if there is none.
    pub(super) fn intern_constant(&mut self, value: Value, span: Span) -> Result<u16, Complaint> {
        let key = constant_key(&value, span)?;
        match self.constants.indices.get(&key) {
            Some(index) => Ok(*index),
            None => self.constants.append(key, value, "constants", span),
        }
    }

    /// Adds a constant, whether or not there is one like it.
    pub(super) fn add_constant(
        &mut self,
        name: Option<(&'t str, Span)>,
        value: Value,
        span: Span,
    ) -> Result<(), Complaint> {
        let key = constant_key(&value, span)?;
        let index = self.constants.append(key, value, "constants", span)?;
        match name {
            Some((name, span)) if self.constant_names.insert(name, index).is_some() => {
                Err(twice("constant", name, span))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn named_constant(&self, name: &str) -> Option<u16> {
        self.constant_names.get(name).copied()
    }

    /// The index of the first name of this text, which is added if there is none.
    pub(super) fn intern_name(&mut self, name: String, span: Span) -> Result<u16, Complaint> {
        match self.names.indices.get(&name) {
            Some(index) => Ok(*index),
            None => self.add_name(name, span),
        }
    }

    /// Adds a name, whether or not there is one like it.
    pub(super) fn add_name(&mut self, name: String, span: Span) -> Result<u16, Complaint> {
        self.names.append(name.clone(), name, "names", span)
    }

    /// Adds a sub that begins at the next op, and gives its number.
    pub(super) fn add_sub(
        &mut self,
        name: u16,
        argc: Option<u8>,
        span: Span,
    ) -> Result<usize, Complaint> {
        let index = next_index(self.subs.len(), "subs", span)?;
        if let Some(argc) = argc {
            let declared = *self.signatures.entry(name).or_insert(argc);
            if declared != argc {
                let message = format!("the sub was declared with {declared} arguments before");
                return Err(Complaint::new(Code::DuplicateSymbol, span, message));
            }
        }
        self.subs.push((name, self.ops.len()));
        Ok(usize::from(index))
    }

    /// Begins the slot names of a sub.
    pub(super) fn open_sub(&mut self) {
        self.sub_slots = Some(Slots::default());
    }

    /// Ends the slot names of a sub; `false` if none is open.
    pub(super) fn close_sub(&mut self) -> bool {
        self.sub_slots.take().is_some()
    }

    fn slots(&mut self) -> &mut Slots<'t> {
        self.sub_slots.as_mut().unwrap_or(&mut self.slots)
    }

    /// The number of a named slot; a new name gets the next one.
    pub(super) fn slot(&mut self, name: &'t str, span: Span) -> Result<u16, Complaint> {
        let slots = self.slots();
        if let Some(number) = slots.numbers.get(name) {
            return Ok(*number);
        }
        let number = next_index(slots.next as usize, "slots", span)?;
        slots.numbers.insert(name, number);
        slots.next += 1;
        Ok(number)
    }

    /// Names a slot, by default the next one.
    pub(super) fn declare_slot(
        &mut self,
        name: &'t str,
        number: Option<u16>,
        span: Span,
    ) -> Result<(), Complaint> {
        if self.slots().numbers.contains_key(name) {
            return Err(twice("slot", name, span));
        }
        let Some(number) = number else {
            return self.slot(name, span).map(|_| ());
        };
        let slots = self.slots();
        slots.numbers.insert(name, number);
        slots.next = slots.next.max(u32::from(number) + 1);
        Ok(())
    }

    /// Adds a block that begins and ends at the next op, and gives its number.
    pub(super) fn add_block(&mut self, name: &'t str, span: Span) -> Result<u16, Complaint> {
        let index = next_index(self.blocks.len(), "blocks", span)?;
        if self.block_names.insert(name, index).is_some() {
            return Err(twice("block", name, span));
        }
        self.blocks.push((self.ops.len(), self.ops.len()));
        Ok(index)
    }

    /// Leaves a block open until `close_block`.
    pub(super) fn open_block(&mut self, index: u16, span: Span) {
        self.open_blocks.push((index, span));
    }

    /// Ends the innermost open block before the next op; `false` if none is open.
    pub(super) fn close_block(&mut self) -> bool {
        let block = self.open_blocks.pop();
        if let Some((index, _)) = block {
            self.blocks[usize::from(index)].1 = self.ops.len();
        }
        block.is_some()
    }

    pub(super) fn add_import(&mut self, import: Import, span: Span) -> Result<(), Complaint> {
        next_index(self.imports.len(), "imports", span)?;
        let name = import.name.clone();
        let (kind, id, function) = import.called_as();
        let key = (kind, id, function.to_owned());
        if self.imports.contains_key(&key) {
            return Err(twice("import", &import_label(&import), span));
        }
        if !name.is_empty() {
            let id = self.import_ids.entry((import.kind, name));
            id.or_insert(import.id);
        }
        self.imports.insert(key, import);
        Ok(())
    }

    /// Resolves the references and gives the finished chunk, whose text began at `start`; what is wrong
    /// goes to `complain`.
    pub(super) fn finish(
        mut self,
        start: Span,
        complain: &mut impl FnMut(Complaint),
    ) -> (Entry, Chunk) {
        for (_, span) in std::mem::take(&mut self.open_blocks) {
            let message = "the block is not closed in this chunk";
            complain(Complaint::new(Code::UnclosedBlock, span, message));
        }
        for reference in std::mem::take(&mut self.references) {
            match self.find(&reference.symbol) {
                Some(number) => self.fill(reference.place, number),
                None => complain(self.unknown(&reference)),
            }
        }
        if let Err(complaint) = self.name_functions(start) {
            complain(complaint);
        }
        let mut builder = ChunkBuilder::new();
        for (op, line) in self.ops.into_iter().zip(self.lines) {
            builder.emit(op, line);
        }
        for value in self.constants.entries {
            builder.add_constant(value);
        }
        for (name, entry) in self.subs {
            builder.add_sub_entry(name, entry);
        }
        for (start, end) in self.blocks {
            builder.add_block_range(start, end);
        }
        builder.set_source(self.source.unwrap_or_default());
        let mut chunk = builder.build();
        // The builder merges names that are alike.
        chunk.names = self.names.entries;
        chunk.imports = self.imports.into_values().collect();
        chunk.imports.sort_by(|a, b| a.key().cmp(&b.key()));
        let signatures = self.signatures.into_iter();
        chunk.signatures = signatures
            .map(|(name, argc)| Signature { name, argc })
            .collect();
        chunk.signatures.sort_by_key(|signature| signature.name);
        let entry = Entry {
            space: self.space.unwrap_or_default(),
            name: self.name,
            key: self.key.unwrap_or_default(),
            link: self.link,
        };
        (entry, chunk)
    }

    /// Appends the names of functions that are declared and that nothing else names.
    fn name_functions(&mut self, start: Span) -> Result<(), Complaint> {
        let declared = self.imports.values();
        let functions = declared.filter(|import| import.kind == ImportKind::Function);
        let mut names: Vec<String> = functions.map(|import| import.name.clone()).collect();
        names.sort_unstable();
        for name in names {
            self.intern_name(name, start)?;
        }
        Ok(())
    }

    fn find(&self, symbol: &Symbol<'t>) -> Option<usize> {
        match symbol {
            Symbol::Label(name) => self.labels.get(name).copied(),
            Symbol::Block(name) => self.block_names.get(name).copied().map(usize::from),
            Symbol::Import(kind, name) => {
                let id = self.import_ids.get(&(*kind, name.clone()));
                id.copied().map(usize::from)
            }
        }
    }

    fn unknown(&self, reference: &Reference<'t>) -> Complaint {
        let (code, what, name) = match &reference.symbol {
            Symbol::Label(name) => (Code::UnknownLabel, "label", *name),
            Symbol::Block(name) => (Code::UnknownSymbol, "block", *name),
            Symbol::Import(_, name) => (Code::UnknownSymbol, "import", name.as_str()),
        };
        let message = format!("this chunk has no {what} `{}`", super::lexer::quote(name));
        Complaint::new(code, reference.span, message)
    }

    /// Puts a resolved number in its place.
    fn fill(&mut self, place: Place, number: usize) {
        match place {
            Place::Operand { op, index } => fill_operand(&mut self.ops[op], index, number),
            Place::SubEntry(sub) => self.subs[sub].1 = number,
            Place::BlockStart(block) => self.blocks[block].0 = number,
            Place::BlockEnd(block) => self.blocks[block].1 = number,
        }
    }
}

/// The constant's text, which tells constants apart to the bit.
fn constant_key(value: &Value, span: Span) -> Result<String, Complaint> {
    let mut key = String::new();
    match literal::write(&mut key, value, usize::MAX) {
        Ok(()) => Ok(key),
        Err(_) => {
            let message = "the constant exceeds a limit";
            Err(Complaint::new(Code::TextTooLarge, span, message))
        }
    }
}

/// How messages name an import.
fn import_label(import: &Import) -> String {
    match import.kind {
        ImportKind::Function => import.name.clone(),
        ImportKind::Builtin | ImportKind::Extension | ImportKind::ExtensionWide => {
            import.id.to_string()
        }
    }
}

/// Replaces an operand that stands for a symbol; the number fits, as the tables are limited.
fn fill_operand(op: &mut Op, index: usize, number: usize) {
    let mut operands = [Operand::Int(0); 4];
    let given = op.operands();
    operands[..given.len()].copy_from_slice(&given);
    match &mut operands[index] {
        Operand::Target(target) => *target = number,
        Operand::Block(entry) | Operand::Id(entry) => *entry = number as u16,
        other => unreachable!("{other:?} stands for no symbol"),
    }
    let filled = Op::from_operands(op.opcode(), &operands[..given.len()]);
    *op = filled.expect("the operands have the kinds that they had");
}
