//! Lowering: verified stack ops of one region to register code.
//!
//! Heights are static, so a position of the stack is a register, its *home*. One pass over the ops
//! keeps, for each position, where its value is ([`stack`]); pushes of slots and constants cost
//! nothing until something needs them in a register. At every op that is jumped to, all values are in
//! their homes. A frame's registers are: the arguments, the slots of each scope depth, the homes.
//! Where a sub begins by storing its arguments into slots, those slots are the argument registers
//! themselves; where it has no slots at all, the arguments are at home.
//!
//! What an instruction does is the engine's business. Ops that have no instruction ([`is_public`])
//! leave the frame: the reference interpreter runs them on the VM's public state, and the frame is
//! taken up again behind them. A block is a region too; its frame begins with the slots of the frame
//! that it shares. Time and memory are linear in the region, and nothing recurses.

mod arithmetic;
mod borrow;
mod branch;
pub(crate) mod code;
mod emit;
mod functions;
mod listing;
mod operands;
mod reached;
mod stack;
mod translate;

use crate::chunk::{Chunk, ImportKind};
use crate::jit::PlainKind;
use crate::op::Op;
use crate::verify::{Arity, RegionKind, Shape};
use code::{Code, MAX_REGISTERS, Rop, Word};
use emit::Emitter;
pub use listing::Listing;
use reached::{Reached, mark};
use stack::AbstractStack;
use std::cell::Cell;

/// The first half of Undef, and of the two Bools.
pub(crate) const UNDEF_WORD: u32 = 2;
pub(crate) const FALSE_WORD: u32 = 4;
pub(crate) const TRUE_WORD: u32 = 4 | 1 << 8;

/// Why a region has no register code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Declined {
    /// It needs more registers, or longer branches, than fields can name.
    TooLarge,
}

/// What lowering needs to know of a chunk.
#[derive(Debug, Default)]
pub(crate) struct Lowering {
    /// The row of the first sub of each name, plus 1; 0 for none. Empty where there are no subs.
    sub_of_name: Vec<u32>,
    /// The global of each name, where that isn't the name's index.
    globals: Option<Box<[u16]>>,
    /// The extension ops that are plain functions.
    functions: Vec<Plain>,
    /// Whether the chunk is a unit of an engine: it may call functions of others, and be one.
    linked: bool,
}

/// An extension op that is a plain function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain {
    pub(crate) key: (ImportKind, u16),
    pub(crate) pops: usize,
    pub(crate) gives: PlainKind,
}

/// Memory that the lowering of a region takes from the one before it on the same thread: most functions are
/// so small that getting memory would cost more than their ops.
#[derive(Debug, Default)]
struct Memory {
    reached: Reached,
    /// Where the instructions of each op of the region begin.
    positions: Vec<u32>,
    stack: AbstractStack,
    fixups: Vec<emit::Fixup>,
    returns: Vec<usize>,
}

impl Memory {
    /// The most ops of a chunk whose memory is kept.
    const MOST_OPS: usize = 1 << 14;

    /// Runs `work` with the thread's memory.
    fn lend<R>(work: impl FnOnce(&mut Memory) -> R) -> R {
        thread_local! {
            static KEPT: Cell<Option<Box<Memory>>> = const { Cell::new(None) };
        }
        let mut memory = KEPT.take().unwrap_or_default();
        let result = work(&mut memory);
        if memory.positions.len() <= Memory::MOST_OPS {
            KEPT.set(Some(memory));
        }
        result
    }
}

impl Lowering {
    /// The global of each name, by its index; empty where that is the index.
    #[cfg(feature = "jit")]
    pub(crate) fn globals(&self) -> &[u16] {
        self.globals.as_deref().unwrap_or_default()
    }

    /// Prepares for a chunk. `globals` has the global of each name, if that isn't the name's index.
    pub(crate) fn new(chunk: &Chunk, globals: Option<Box<[u16]>>) -> Lowering {
        let named = if chunk.sub_entries.is_empty() {
            0
        } else {
            chunk.names.len()
        };
        let mut sub_of_name = vec![0; named];
        for (row, (name, _)) in chunk.sub_entries.iter().enumerate().rev() {
            if let Some(place) = sub_of_name.get_mut(usize::from(*name)) {
                *place = row as u32 + 1;
            }
        }
        Lowering {
            sub_of_name,
            globals,
            linked: false,
            functions: Vec::new(),
        }
    }

    /// The same where these extension ops are plain functions: by kind and number, how many values they
    /// take, and what they give.
    pub(crate) fn with_functions(self, functions: Vec<Plain>) -> Lowering {
        Lowering { functions, ..self }
    }

    /// The plain function that an op is, if it is one.
    fn plain(&self, op: &Op) -> Option<&Plain> {
        let key = match op {
            Op::Extended(id, _) => (ImportKind::Extension, *id),
            Op::ExtendedWide(id, _) => (ImportKind::ExtensionWide, *id),
            _ => return None,
        };
        self.functions.iter().find(|plain| plain.key == key)
    }

    /// The same for a unit of an engine.
    pub(crate) fn linked(self) -> Lowering {
        Lowering {
            linked: true,
            ..self
        }
    }

    /// The global that a name stands for.
    fn global(&self, name: u16) -> u16 {
        match &self.globals {
            None => name,
            Some(globals) => globals[usize::from(name)],
        }
    }

    /// The row of the sub of this name.
    pub(crate) fn sub_row(&self, name: u16) -> Option<usize> {
        let row = *self.sub_of_name.get(usize::from(name))?;
        (row as usize).checked_sub(1)
    }

    /// Lowers the region of this index. `shape` is that of `chunk`.
    ///
    /// # Errors
    /// When it can't be register code.
    pub(crate) fn lower(
        &self,
        chunk: &Chunk,
        shape: &Shape,
        region: usize,
    ) -> Result<Code, Declined> {
        let region = &shape.regions()[region];
        let end = end_of(chunk, region.kind);
        Memory::lend(|memory| {
            memory.reached.find(self, chunk, shape, region, end);
            let code = FrameLayout::new(chunk, region, &memory.reached)
                .and_then(|frame| self.translate(chunk, shape, frame, end, memory));
            memory.reached.clear();
            code
        })
    }

    /// Whether the reference interpreter runs the op on the VM's public state: handlers and blocks,
    /// calls of what isn't in the chunk, and what goes through processes.
    fn is_public(&self, op: &Op) -> bool {
        let is_import = matches!(*op, Op::Call(name, _) if self.sub_row(name).is_none());
        if self.plain(op).is_some() {
            return false;
        }
        is_import
            || matches!(
                op,
                Op::MapBlock(_)
                    | Op::GrepBlock(_)
                    | Op::SortBlock(_)
                    | Op::ForEachBlock(_)
                    | Op::CallBuiltin(..)
                    | Op::Extended(..)
                    | Op::ExtendedWide(..)
                    | Op::Exec(_)
                    | Op::ExecBg(_)
                    | Op::PipelineBegin(_)
                    | Op::PipelineStage
                    | Op::PipelineEnd
                    | Op::Redirect(..)
                    | Op::HereDoc(_)
                    | Op::HereString
                    | Op::CmdSubst(_)
                    | Op::SubshellBegin
                    | Op::SubshellEnd
                    | Op::ProcessSubIn(_)
                    | Op::ProcessSubOut(_)
                    | Op::TrapSet(_)
                    | Op::TrapCheck
                    | Op::SetStatus
                    | Op::RedirectMark
                    | Op::RedirectPop
                    | Op::ExpandParam(_)
            )
    }
}

/// Which register is what in the frames of a region.
#[derive(Debug, Default)]
struct FrameLayout {
    /// Whether the slots are there before the region begins: those of the program, which an embedder
    /// may have filled, and those that a block shares.
    keeps_slots: bool,
    /// Whether it is the code of a chunk from its first op on, which may be called as a function.
    is_main: bool,
    /// The scope that the region begins in.
    scope: usize,
    entry: usize,
    /// The height that the region begins with.
    entry_height: usize,
    /// How many of the values at the entry are arguments, in the first registers.
    argc: usize,
    /// How many ops at the entry only store arguments into the slots that they already are.
    prologue: usize,
    /// The register of each slot, for each depth of scopes.
    slots: Vec<Vec<u16>>,
    /// The home of position 0.
    homes: usize,
    registers: usize,
}

impl FrameLayout {
    fn new(
        chunk: &Chunk,
        region: &crate::verify::Region,
        reached: &Reached,
    ) -> Result<FrameLayout, Declined> {
        let is_sub = matches!(region.kind, RegionKind::Sub(_));
        let entry_height = region.entry_height as usize;
        let argc = if is_sub { entry_height } else { 0 };
        let total = reached
            .slots
            .iter()
            .map(|count| *count as usize)
            .sum::<usize>();
        if argc + total + region.height as usize >= MAX_REGISTERS {
            return Err(Declined::TooLarge);
        }
        let is_leader = |at| reached.is_leader(at);
        let prologue = if is_leader(region.entry) {
            None
        } else {
            stored_arguments(chunk, region.entry, argc, is_leader)
        };
        let mut next = argc;
        let mut slots = Vec::with_capacity(reached.slots.len());
        for (depth, count) in reached.slots.iter().enumerate() {
            let mut registers = Vec::with_capacity(*count as usize);
            for slot in 0..*count as u16 {
                let stored = match &prologue {
                    Some(stored) if depth == 0 => stored.iter().position(|s| *s == slot),
                    _ => None,
                };
                let register = stored.map_or(next, |popped| argc - 1 - popped);
                if register == next {
                    next += 1;
                }
                registers.push(register as u16);
            }
            slots.push(registers);
        }
        let homes = if prologue.is_none() && total == 0 {
            0
        } else {
            next
        };
        Ok(FrameLayout {
            keeps_slots: !is_sub,
            is_main: region.kind == RegionKind::Main,
            scope: region.scope,
            entry: region.entry,
            entry_height,
            argc,
            prologue: prologue.map_or(0, |stored| stored.len()),
            slots,
            homes,
            registers: homes + region.height as usize + 1,
        })
    }

    fn home(&self, position: usize) -> u16 {
        (self.homes + position) as u16
    }
}

/// The slots that the ops at the entry store all arguments into, the last argument first; `None` if
/// they don't, or there are no arguments.
fn stored_arguments(
    chunk: &Chunk,
    entry: usize,
    argc: usize,
    is_leader: impl Fn(usize) -> bool,
) -> Option<Vec<u16>> {
    let mut stored: Vec<u16> = Vec::with_capacity(argc);
    for at in entry..entry + argc {
        match chunk.ops.get(at) {
            Some(Op::SetSlot(slot)) if !is_leader(at) && !stored.contains(slot) => {
                stored.push(*slot);
            }
            _ => return None,
        }
    }
    (argc > 0).then_some(stored)
}

/// Where a region's code ends, if it doesn't return: behind the last op, or at the block's end.
fn end_of(chunk: &Chunk, kind: RegionKind) -> usize {
    match kind {
        RegionKind::Main | RegionKind::Sub(_) => chunk.ops.len(),
        RegionKind::Block(block) => chunk.block_ranges[block].1,
    }
}

/// Translates one region.
struct Translator<'a> {
    chunk: &'a Chunk,
    shape: &'a Shape,
    lowering: &'a Lowering,
    reached: &'a Reached,
    frame: FrameLayout,
    stack: AbstractStack,
    out: Emitter,
    /// The depth of scopes at the present op.
    depth: usize,
    /// One above the highest register that can hold something counted.
    counted: u16,
    /// Where the returns stand, which have to drop what those registers hold.
    returns: Vec<usize>,
    /// Slots that borrow, and from whom.
    pairs: Vec<borrow::Pair>,
    /// The innermost scope at the present op.
    scope: usize,
    /// Where the region ends.
    end: usize,
    /// The heights and scopes with which branches reach that end.
    ends: Vec<(usize, usize)>,
}

impl Lowering {
    fn translate(
        &self,
        chunk: &Chunk,
        shape: &Shape,
        frame: FrameLayout,
        end: usize,
        memory: &mut Memory,
    ) -> Result<Code, Declined> {
        let reached = &memory.reached;
        let ops = reached.stretches.iter().map(|(start, end)| end - start);
        let ops = ops.sum::<u32>() as usize;
        let fixups = std::mem::take(&mut memory.fixups);
        let mut translator = Translator {
            chunk,
            shape,
            lowering: self,
            reached,
            counted: frame.homes as u16,
            pairs: borrow::pairs(chunk, shape, &frame, self, reached, end),
            frame,
            stack: std::mem::take(&mut memory.stack),
            out: Emitter::with_capacity(ops, reached.leaders, fixups),
            depth: 0,
            returns: std::mem::take(&mut memory.returns),
            scope: 0,
            end,
            ends: Vec::new(),
        };
        memory.positions.resize(chunk.ops.len() + 1, 0);
        translator.set_scope(translator.frame.scope);
        translator.run(&mut memory.positions);
        let ends = translator.emit_ends();
        translator.settle_returns();
        memory.stack = translator.stack;
        memory.returns = translator.returns;
        let positions = &memory.positions;
        let (code, fixups) = translator.out.finish(|op| match positions.get(op) {
            Some(position) => *position as usize,
            None => ends[op - positions.len()],
        });
        memory.fixups = fixups;
        code
    }
}

impl Translator<'_> {
    /// Translates the ops reached, ascending, and notes where each begins.
    fn run(&mut self, positions: &mut [u32]) {
        let reached = self.reached;
        let first = reached.stretches.first();
        let enters_elsewhere = first.is_none_or(|(at, _)| *at as usize != self.frame.entry);
        if enters_elsewhere || self.is_leader(self.frame.entry) {
            self.out.op = self.frame.entry as u32;
            self.enter();
            if enters_elsewhere {
                self.go_to(self.frame.entry);
            }
        }
        let mut falls_through = !enters_elsewhere;
        let mut skip_to = self.frame.entry + self.frame.prologue;
        if skip_to > self.frame.entry {
            self.enter();
        }
        for (start, end) in &reached.stretches {
            for at in (*start..*end).map(|at| at as usize) {
                let mark = reached.marks[at];
                positions[at] = self.place(at, mark, falls_through);
                // An op that another one took in, or that stores an argument where it is, falls through.
                (skip_to, falls_through) = match at < skip_to {
                    true => (skip_to, true),
                    false => self.op(at),
                };
            }
        }
    }

    /// Prepares for the op at `at`, which may be jumped to; gives the position of its instructions.
    fn place(&mut self, at: usize, mark: u8, falls_through: bool) -> u32 {
        self.out.op = at as u32;
        let is_leader = mark & mark::LEADER != 0;
        if is_leader {
            if falls_through {
                self.flush_all();
            }
            self.out.label();
        }
        if is_leader || !falls_through {
            self.begin_at(at, mark);
        } else if at == self.frame.entry && self.frame.prologue == 0 {
            self.enter();
        }
        // At the end is no op of the region, nor a scope on record.
        debug_assert!(at == self.end || self.shape.scope_at(at) == Some(self.scope));
        let position = self.out.position() as u32;
        if is_leader {
            self.out.code.entries.push((at as u32, position));
        }
        position
    }

    /// Notes that code goes on in this scope.
    fn set_scope(&mut self, scope: usize) {
        self.scope = scope;
        self.depth = self.shape.scopes()[scope].depth as usize;
    }

    /// Begins a stretch that is jumped to, or that a frame is taken up at: all values are at home.
    fn begin_at(&mut self, at: usize, mark: u8) {
        let height = self.shape.height_at(at).unwrap_or(0) as usize;
        self.stack.reset(height);
        if at != self.end
            && let Some(scope) = self.shape.scope_at(at)
        {
            self.set_scope(scope);
        }
        if mark & mark::RESUMES != 0
            && let Some(top) = height.checked_sub(1)
        {
            self.note_counted(top);
        }
    }

    /// Says in the returns what they have to drop, and in the code what its frames are.
    fn settle_returns(&mut self) {
        for at in self.returns.drain(..) {
            let word = Word(self.out.code.words[at]);
            let counted = emit::field(self.counted);
            self.out.code.words[at] = match word.op() {
                Rop::End => Word::new(Rop::End, word.flags(), word.a(), counted, 0).0,
                op => Word::new(op.return_of(self.counted), 0, counted, word.b(), 0).0,
            };
        }
        self.out.code.registers = self.frame.registers as u32;
        self.out.code.counted = self.counted;
        self.out.code.slots = std::mem::take(&mut self.frame.slots);
        self.out.code.homes = self.frame.homes as u16;
    }
}

/// Whether a call of the sub leaves a value.
fn leaves_value(shape: &Shape, row: usize) -> bool {
    shape.subs()[row].returns == Arity::Value
}

/// The name that the op uses as a global's.
pub(crate) fn global_of(op: &Op) -> Option<u16> {
    match *op {
        Op::GetVar(name)
        | Op::SetVar(name)
        | Op::DeclareVar(name)
        | Op::GetArray(name)
        | Op::SetArray(name)
        | Op::DeclareArray(name)
        | Op::ArrayGet(name)
        | Op::ArraySet(name)
        | Op::ArrayPush(name)
        | Op::ArrayPop(name)
        | Op::ArrayShift(name)
        | Op::ArrayLen(name)
        | Op::GetHash(name)
        | Op::SetHash(name)
        | Op::DeclareHash(name)
        | Op::HashGet(name)
        | Op::HashSet(name)
        | Op::HashDelete(name)
        | Op::HashExists(name)
        | Op::HashKeys(name)
        | Op::HashValues(name)
        | Op::PushIntRangeLoop(name, ..) => Some(name),
        _ => None,
    }
}

/// Where a jump or branch goes.
pub(crate) fn jump_target(op: &Op) -> Option<usize> {
    match *op {
        Op::Jump(target)
        | Op::JumpIfTrue(target)
        | Op::JumpIfFalse(target)
        | Op::JumpIfTrueKeep(target)
        | Op::JumpIfFalseKeep(target)
        | Op::SlotLtIntJumpIfFalse(_, _, target)
        | Op::SlotIncLtIntJumpBack(_, _, target) => Some(target),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
