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
mod stack;
mod translate;

use crate::chunk::{Chunk, ImportKind};
use crate::jit::PlainKind;
use crate::op::{Flow, Op};
use crate::verify::{Arity, RegionKind, Shape};
use code::{Code, MAX_REGISTERS, Rop, Word};
use emit::Emitter;
pub use listing::Listing;
use stack::AbstractStack;

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

/// What lowering needs to know of a chunk, and memory that it uses again.
#[derive(Debug, Default)]
pub(crate) struct Lowering {
    /// The row of the first sub of each name, plus 1; 0 for none.
    sub_of_name: Vec<u32>,
    /// The global of each name, where that isn't the name's index.
    globals: Option<Box<[u16]>>,
    /// The extension ops that are plain functions.
    functions: Vec<Plain>,
    /// Whether the chunk is a unit of an engine: it may call functions of others, and be one.
    linked: bool,
    /// By op, a set of [`mark`]s.
    marks: Vec<u8>,
    /// Where the instructions of each op of the present region begin.
    positions: Vec<u32>,
    /// The ops of the present region: stretches of them, ascending, the end of each not in it.
    stretches: Vec<(u32, u32)>,
    /// How many places of the region are jumped to or resumed at, roughly.
    leaders: usize,
    /// Those of the ops that jump back.
    back_jumps: Vec<u32>,
    work: Vec<u32>,
    scratch: Scratch,
}

/// An extension op that is a plain function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plain {
    pub(crate) key: (ImportKind, u16),
    pub(crate) pops: usize,
    pub(crate) gives: PlainKind,
}

/// What is known of an op while its region is lowered: a set of these. They are bytes, as a list of zeros
/// costs least to make.
mod mark {
    /// It is one of the region.
    pub(super) const REACHED: u8 = 1;
    /// Something other than the op before it leads here.
    pub(super) const LEADER: u8 = 2;
    /// The op before it is the reference interpreter's.
    pub(super) const RESUMES: u8 = 4;
}

/// Memory of a translation, for the next one.
#[derive(Debug, Default)]
struct Scratch {
    stack: AbstractStack,
    fixups: Vec<emit::Fixup>,
}

impl Lowering {
    /// The global of each name, by its index; empty where that is the index.
    #[cfg(feature = "jit")]
    pub(crate) fn globals(&self) -> &[u16] {
        self.globals.as_deref().unwrap_or_default()
    }

    /// Prepares for a chunk. `globals` has the global of each name, if that isn't the name's index.
    pub(crate) fn new(chunk: &Chunk, globals: Option<Box<[u16]>>) -> Lowering {
        let mut sub_of_name = vec![0; chunk.names.len()];
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
            // One behind the last op, which is where a jump to the end goes.
            marks: vec![0; chunk.ops.len() + 1],
            positions: vec![0; chunk.ops.len() + 1],
            stretches: Vec::new(),
            leaders: 0,
            back_jumps: Vec::new(),
            work: Vec::new(),
            scratch: Scratch::default(),
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

    /// Whether something other than the op before it leads to the op at `at`.
    fn is_leader(&self, at: usize) -> bool {
        self.marks[at] & mark::LEADER != 0
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
        &mut self,
        chunk: &Chunk,
        shape: &Shape,
        region: usize,
    ) -> Result<Code, Declined> {
        let end = end_of(chunk, shape.regions()[region].kind);
        let frame = self.find_ops(chunk, shape, region);
        let code = frame.and_then(|frame| self.translate(chunk, shape, frame, end));
        self.back_jumps.clear();
        self.leaders = 0;
        for (start, end) in self.stretches.drain(..) {
            self.marks[start as usize..end as usize].fill(0);
        }
        code
    }

    /// Follows the region's paths: marks what is reached and what is jumped to, and lays out the
    /// frame.
    fn find_ops(
        &mut self,
        chunk: &Chunk,
        shape: &Shape,
        region: usize,
    ) -> Result<FrameLayout, Declined> {
        let region = shape.regions()[region];
        let end = end_of(chunk, region.kind);
        if matches!(region.kind, RegionKind::Block(_)) {
            self.marks[region.entry] |= mark::LEADER;
        }
        let mut scopes = vec![shape.scopes()[region.scope].slots];
        self.work.push(region.entry as u32);
        while let Some(start) = self.work.pop() {
            let mut at = start as usize;
            let behind = loop {
                let mark = &mut self.marks[at];
                if *mark & mark::REACHED != 0 {
                    break at;
                }
                *mark |= mark::REACHED;
                let Some(op) = chunk.ops.get(at).filter(|_| at != end) else {
                    break at + 1;
                };
                match op.flow() {
                    Flow::Next if self.is_public(op) => {
                        let leads = if at + 1 == end { 0 } else { mark::LEADER };
                        self.marks[at + 1] |= leads | mark::RESUMES;
                        self.leaders += 1;
                    }
                    Flow::Next => {}
                    Flow::Branch => self.note_jump(op, at, end),
                    Flow::Jump => {
                        self.note_jump(op, at, end);
                        break at + 1;
                    }
                    Flow::Return => break at + 1,
                    Flow::Scope => self.note_scope(shape, at + 1, &mut scopes),
                }
                at += 1;
            };
            self.stretches.push((start, behind as u32));
        }
        // They were found in any order.
        self.stretches.sort_unstable();
        self.mark_inverted_loops(chunk);
        FrameLayout::new(chunk, &region, &scopes, |at| self.is_leader(at))
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

    /// Marks where the jump or branch at `at` goes, and goes there later.
    fn note_jump(&mut self, op: &Op, at: usize, end: usize) {
        let Some(target) = jump_target(op).filter(|target| *target != end) else {
            return;
        };
        if target <= at {
            self.back_jumps.push(at as u32);
        }
        self.leaders += 1;
        let mark = &mut self.marks[target];
        *mark |= mark::LEADER;
        if *mark & mark::REACHED == 0 {
            self.work.push(target as u32);
        }
    }

    /// Makes room for the slots of the scope at `at`.
    fn note_scope(&self, shape: &Shape, at: usize, scopes: &mut Vec<u32>) {
        if let Some(scope) = shape.scope_at(at) {
            let scope = shape.scopes()[scope];
            let depth = scope.depth as usize;
            if scopes.len() <= depth {
                scopes.resize(depth + 1, 0);
            }
            scopes[depth] = scopes[depth].max(scope.slots);
        }
    }

    /// A loop whose head is a simple test gets that test again at its end, from where it goes on
    /// behind the head: that place is one that is jumped to.
    fn mark_inverted_loops(&mut self, chunk: &Chunk) {
        for place in 0..self.back_jumps.len() {
            let at = self.back_jumps[place] as usize;
            if let Op::Jump(target) = chunk.ops[at]
                && let Some(test) = self.loop_test(chunk, at, target)
            {
                self.marks[test + 1] |= mark::LEADER;
            }
        }
    }

    /// The branch that ends the test at the head of the loop which `at` jumps back to, if the test
    /// is short and nothing else leads into it.
    fn loop_test(&self, chunk: &Chunk, at: usize, head: usize) -> Option<usize> {
        const LONGEST: usize = 8;
        if head > at {
            return None;
        }
        for test in head..at.min(head + LONGEST) {
            if test > head && self.is_leader(test) {
                return None;
            }
            match chunk.ops[test] {
                Op::JumpIfFalse(exit)
                | Op::JumpIfTrue(exit)
                | Op::SlotLtIntJumpIfFalse(_, _, exit)
                    if exit > at =>
                {
                    return Some(test);
                }
                ref op if is_simple(op) => {}
                _ => return None,
            }
        }
        None
    }
}

/// Whether the op may stand in a loop's test that is copied: it reads and computes.
fn is_simple(op: &Op) -> bool {
    matches!(
        op,
        Op::GetSlot(_)
            | Op::GetVar(_)
            | Op::LoadInt(_)
            | Op::LoadFloat(_)
            | Op::LoadConst(_)
            | Op::ArrayLen(_)
            | Op::ArrayGet(_)
            | Op::SlotArrayGet(_)
            | Op::Add
            | Op::Sub
            | Op::Mul
            | Op::Div
            | Op::Mod
            | Op::NumEq
            | Op::NumNe
            | Op::NumLt
            | Op::NumGt
            | Op::NumLe
            | Op::NumGe
    )
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
        scopes: &[u32],
        is_leader: impl Fn(usize) -> bool,
    ) -> Result<FrameLayout, Declined> {
        let is_sub = matches!(region.kind, RegionKind::Sub(_));
        let entry_height = region.entry_height as usize;
        let argc = if is_sub { entry_height } else { 0 };
        let total = scopes.iter().map(|count| *count as usize).sum::<usize>();
        if argc + total + region.height as usize >= MAX_REGISTERS {
            return Err(Declined::TooLarge);
        }
        let prologue = if is_leader(region.entry) {
            None
        } else {
            stored_arguments(chunk, region.entry, argc, &is_leader)
        };
        let mut next = argc;
        let mut slots = Vec::with_capacity(scopes.len());
        for (depth, count) in scopes.iter().enumerate() {
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
        &mut self,
        chunk: &Chunk,
        shape: &Shape,
        frame: FrameLayout,
        end: usize,
    ) -> Result<Code, Declined> {
        let pairs = borrow::pairs(chunk, shape, &frame, self, end);
        let ops = self.stretches.iter().map(|(start, end)| end - start);
        let ops = ops.sum::<u32>() as usize;
        let mut positions = std::mem::take(&mut self.positions);
        let Scratch { stack, fixups } = std::mem::take(&mut self.scratch);
        let mut translator = Translator {
            chunk,
            shape,
            lowering: self,
            counted: frame.homes as u16,
            frame,
            stack,
            out: Emitter::with_capacity(ops, self.leaders, fixups),
            depth: 0,
            returns: Vec::new(),
            pairs,
            scope: 0,
            end,
            ends: Vec::new(),
        };
        translator.set_scope(translator.frame.scope);
        translator.run(&mut positions);
        let ends = translator.emit_ends();
        let (out, stack) = translator.take_code();
        let (code, fixups) = out.finish(|op| match positions.get(op) {
            Some(position) => *position as usize,
            None => ends[op - positions.len()],
        });
        self.positions = positions;
        self.scratch = Scratch { stack, fixups };
        code
    }
}

impl Translator<'_> {
    /// Translates the ops reached, ascending, and notes where each begins.
    fn run(&mut self, positions: &mut [u32]) {
        let lowering = self.lowering;
        let first = lowering.stretches.first();
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
        let stretches = lowering.stretches.iter();
        for at in stretches.flat_map(|(start, end)| *start as usize..*end as usize) {
            self.out.op = at as u32;
            let mark = lowering.marks[at];
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
            let position = self.out.position() as u32;
            positions[at] = position;
            if is_leader {
                self.out.code.entries.push((at as u32, position));
            }
            if at < skip_to {
                falls_through = true;
                continue;
            }
            // At the end is no op of the region, nor a scope on record.
            debug_assert!(at == self.end || self.shape.scope_at(at) == Some(self.scope));
            let (next, goes_on) = self.op(at);
            skip_to = next;
            falls_through = goes_on;
        }
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

    fn take_code(mut self) -> (Emitter, AbstractStack) {
        for at in &self.returns {
            let word = Word(self.out.code.words[*at]);
            let counted = emit::field(self.counted);
            self.out.code.words[*at] = match word.op() {
                Rop::End => Word::new(Rop::End, word.flags(), word.a(), counted, 0).0,
                op => Word::new(op.return_of(self.counted), 0, counted, word.b(), 0).0,
            };
        }
        self.out.code.registers = self.frame.registers as u32;
        self.out.code.counted = self.counted;
        self.out.code.slots = self.frame.slots;
        self.out.code.homes = self.frame.homes as u16;
        (self.out, self.stack)
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
