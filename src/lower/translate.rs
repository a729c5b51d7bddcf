//! The translation of single ops, the branches aside.

use super::code::{Binary, Rop, Unary, Worked, flag};
use super::emit::field;
use super::stack::{Entry, Owner};
use super::{FALSE_WORD, TRUE_WORD, Translator, UNDEF_WORD, leaves_value};
use crate::jit::PlainKind;
use crate::op::{Op, StackEffect};

impl Translator<'_> {
    /// Translates the op at `at`. Gives the op to go on with, and whether control reaches it from
    /// here.
    pub(super) fn op(&mut self, at: usize) -> (usize, bool) {
        let Some(op) = self.op_at(at) else {
            return self.leave(at);
        };
        let global = |name| self.lowering.global(name);
        let next = match *op {
            Op::Nop => at + 1,
            Op::LoadInt(n) => self.load(at, Entry::Int(n)),
            Op::LoadFloat(f) => self.load(at, Entry::Float(f)),
            Op::LoadConst(index) => self.load(at, self.constant(index)),
            Op::LoadTrue => self.load(at, Entry::Word(TRUE_WORD)),
            Op::LoadFalse => self.load(at, Entry::Word(FALSE_WORD)),
            Op::LoadUndef => self.load(at, Entry::Word(UNDEF_WORD)),

            Op::Pop => self.pop(at),
            Op::Dup => self.dup(at, 1),
            Op::Dup2 => self.dup(at, 2),
            Op::Swap => self.swap(at),
            Op::Rot => self.rot(at),

            Op::GetVar(name) | Op::GetArray(name) | Op::GetHash(name) => {
                self.get_global(at, global(name))
            }
            Op::SetVar(name) | Op::DeclareVar(name) | Op::SetArray(name) | Op::SetHash(name) => {
                self.set_global(at, global(name))
            }
            Op::GetSlot(slot) => self.load(at, Entry::Slot(self.slot(slot))),
            Op::SetSlot(slot) => self.set_slot(at, slot),
            Op::SlotArrayGet(slot) => {
                let array = self.slot(slot);
                let rops = (Rop::SlotElementCopy, Rop::SlotElementBorrow);
                self.element(at, rops, field(array), Owner::Register(array))
            }
            Op::SlotArraySet(slot) => {
                let array = self.slot(slot);
                self.store(
                    at,
                    Rop::SlotElementSet,
                    field(array),
                    Owner::Register(array),
                )
            }

            Op::ArrayGet(name) => {
                let name = global(name);
                let rops = (Rop::ElementCopy, Rop::ElementBorrow);
                self.element(at, rops, name, Owner::Global(name))
            }
            Op::HashGet(name) => {
                let name = global(name);
                let rops = (Rop::HashGetCopy, Rop::HashGetBorrow);
                self.element(at, rops, name, Owner::Global(name))
            }
            Op::ArraySet(name) => self.store_global(at, Rop::ElementSet, global(name)),
            Op::HashSet(name) => self.store_global(at, Rop::HashSet, global(name)),
            Op::ArrayPush(name) => self.array_push(at, global(name)),
            Op::ArrayLen(name) => {
                let name = global(name);
                let dest = self.dest(at);
                self.out.emit(Rop::ArrayLen, 0, dest.field, name, 0);
                self.finish(dest, Entry::Scalar)
            }

            Op::Add => self.add(at),
            Op::Sub => self.sub(at),
            Op::Mul => self.mul(at),
            Op::Div => self.div(at),
            Op::Mod => self.modulo(at),
            Op::Inc => self.unary_rop(at, Rop::Inc, 0),
            Op::Dec => self.unary_rop(at, Rop::Dec, 0),
            Op::Negate => self.unary(at, Unary::Negate),
            Op::BitNot => self.unary(at, Unary::BitNot),
            Op::LogNot => return self.log_not(at),
            Op::StringLen => self.string_len(at),
            Op::Concat => self.binary_rop(at, Rop::Concat, 0, Entry::Home),

            Op::Pow => self.binary_rop(at, Rop::Pow, 0, Entry::Scalar),
            Op::Spaceship => self.binary(at, Binary::Spaceship),
            Op::LogAnd => self.binary(at, Binary::LogAnd),
            Op::LogOr => self.binary(at, Binary::LogOr),
            Op::BitAnd => self.bits(at, Rop::BitAnd, Rop::BitAndI),
            Op::BitOr => self.bits(at, Rop::BitOr, Rop::BitOrI),
            Op::BitXor => self.bits(at, Rop::BitXor, Rop::BitXorI),
            Op::Shl => self.shift(at, Rop::Shl, Rop::ShlI),
            Op::Shr => self.shift(at, Rop::Shr, Rop::ShrI),

            Op::NumEq | Op::NumNe | Op::NumLt | Op::NumGt | Op::NumLe | Op::NumGe => {
                return self.compare(at);
            }

            Op::StringRepeat => self.worked(at, Worked::StringRepeat, Entry::Home),
            Op::StrEq => self.worked(at, Worked::StrEq, Entry::Scalar),
            Op::StrNe => self.worked(at, Worked::StrNe, Entry::Scalar),
            Op::StrLt => self.worked(at, Worked::StrLt, Entry::Scalar),
            Op::StrGt => self.worked(at, Worked::StrGt, Entry::Scalar),
            Op::StrLe => self.worked(at, Worked::StrLe, Entry::Scalar),
            Op::StrGe => self.worked(at, Worked::StrGe, Entry::Scalar),
            Op::StrCmp => self.worked(at, Worked::StrCmp, Entry::Scalar),
            Op::Range => self.worked(at, Worked::Range, Entry::Home),

            Op::Jump(target) => return self.jump(at, target),
            Op::JumpIfTrue(target) => {
                self.branch_on_top(at, target, true);
                at + 1
            }
            Op::JumpIfFalse(target) => {
                self.branch_on_top(at, target, false);
                at + 1
            }
            Op::JumpIfTrueKeep(target) => {
                self.branch_keeping_top(at, target, true);
                at + 1
            }
            Op::JumpIfFalseKeep(target) => {
                self.branch_keeping_top(at, target, false);
                at + 1
            }

            Op::Call(name, argc) => return self.call(at, name, usize::from(argc)),
            Op::Return | Op::ReturnValue if self.ends_function() => {
                let gives = *op == Op::ReturnValue;
                return self.end_function(at, gives);
            }
            Op::Return => {
                self.map();
                self.returns.push(self.out.position());
                self.out.emit(Rop::Return, 0, 0, 0, 0);
                return (at + 1, false);
            }
            Op::ReturnValue => {
                let value = self.returned();
                self.map();
                self.returns.push(self.out.position());
                self.out.emit(Rop::ReturnValue, 0, 0, value, 0);
                return (at + 1, false);
            }
            Op::PushFrame => {
                self.clear_slots(self.depth + 1);
                self.set_scope(self.opened_scope(at));
                at + 1
            }
            Op::PopFrame => {
                self.close_scope(at);
                at + 1
            }

            Op::PreIncSlot(slot) => {
                let register = self.increment(slot);
                self.stack.push(Entry::Slot(register));
                at + 1
            }
            Op::PreIncSlotVoid(slot) => {
                self.increment(slot);
                at + 1
            }
            Op::AddAssignSlotVoid(a, b) => {
                let (a, b) = (self.slot(a), self.slot(b));
                self.before_change(Owner::Register(a));
                self.out.emit(Rop::AddInt, 0, field(a), field(a), field(b));
                at + 1
            }
            Op::SlotLtIntJumpIfFalse(slot, limit, target) => {
                self.slot_below(at, slot, limit, target);
                at + 1
            }
            Op::SlotIncLtIntJumpBack(slot, limit, target) => {
                self.increment_below(at, slot, limit, target);
                at + 1
            }

            Op::DeclareArray(name)
            | Op::DeclareHash(name)
            | Op::ArrayPop(name)
            | Op::ArrayShift(name)
            | Op::HashDelete(name) => {
                self.before_change(Owner::Global(global(name)));
                self.outline(at)
            }
            Op::HashExists(name) => {
                let (name, key) = (global(name), self.pop_operand());
                let dest = self.dest(at);
                let fields = [dest.field, name, key.field];
                self.out.emit(
                    Rop::HashExists,
                    key.second(),
                    fields[0],
                    fields[1],
                    fields[2],
                );
                self.finish(dest, Entry::Scalar)
            }
            Op::HashKeys(_)
            | Op::HashValues(_)
            | Op::MakeArray(_)
            | Op::MakeHash(_)
            | Op::RangeStep
            | Op::SortDefault
            | Op::Print(_)
            | Op::PrintLn(_)
            | Op::ReadLine
            | Op::Glob
            | Op::GlobRecursive
            | Op::TestFile(_)
            | Op::GetStatus
            | Op::WordSplit
            | Op::BraceExpand
            | Op::TildeExpand => self.outline(at),

            Op::AccumSumLoop(sum, i, _) => self.slot_loop(at, sum, i),
            Op::ConcatConstLoop(_, s, i, _) => self.slot_loop(at, s, i),
            Op::PushIntRangeLoop(array, i, _) => {
                self.before_change(Owner::Global(global(array)));
                self.slot_loop(at, i, i)
            }

            ref op if self.lowering.plain(op).is_some() => self.outline(at),

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
            | Op::ExpandParam(_) => return self.leave(at),
        };
        (next, true)
    }

    /// The register of the top, which stays.
    pub(super) fn returned(&mut self) -> u16 {
        let top = self.stack.height() - 1;
        match self.stack.get(top) {
            Entry::Slot(register) => field(register),
            Entry::SameAs(below) => self.home_field(below),
            Entry::Home | Entry::Scalar | Entry::Borrowed(_) => self.home_field(top),
            _ => {
                self.settle(top);
                self.home_field(top)
            }
        }
    }

    fn pop(&mut self, at: usize) -> usize {
        if self.stack.pop() == Entry::Home {
            let home = self.home_field(self.stack.height());
            self.out.emit(Rop::Drop, 0, home, 0, 0);
        }
        at + 1
    }

    /// Pushes the `count` topmost again.
    fn dup(&mut self, at: usize, count: usize) -> usize {
        let first = self.stack.height() - count;
        for position in first..first + count {
            let top = self.stack.height();
            let entry = match self.stack.get(position) {
                Entry::Home | Entry::Scalar => Entry::SameAs(position),
                borrowed @ Entry::Borrowed(_) => {
                    let (to, from) = (self.home_field(top), self.home_field(position));
                    self.out.emit(Rop::Borrow, 0, to, from, 0);
                    self.note_counted(top);
                    borrowed
                }
                other => other,
            };
            self.stack.push(entry);
        }
        at + 1
    }

    /// Whether the entry can stand at any position above `first`.
    fn moves_freely(entry: Entry, first: usize) -> bool {
        match entry {
            Entry::Home | Entry::Scalar | Entry::Borrowed(_) => false,
            Entry::SameAs(below) => below < first,
            _ => true,
        }
    }

    fn swap(&mut self, at: usize) -> usize {
        let first = self.stack.height() - 2;
        let (a, b) = (self.stack.get(first), self.stack.get(first + 1));
        if Self::moves_freely(a, first) && Self::moves_freely(b, first) {
            self.stack.set(first, b);
            self.stack.set(first + 1, a);
        } else {
            self.exchange(first);
        }
        at + 1
    }

    /// Exchanges the values of `first` and the position above in their homes.
    fn exchange(&mut self, first: usize) {
        // The upper one first: it may be the same as the lower one.
        self.settle(first + 1);
        self.settle(first);
        let (a, b) = (self.home_field(first), self.home_field(first + 1));
        self.out.emit(Rop::Exchange, 0, a, b, 0);
        for position in [first, first + 1] {
            self.note_counted(position);
            self.stack.set(position, Entry::Home);
        }
    }

    fn rot(&mut self, at: usize) -> usize {
        let first = self.stack.height() - 3;
        let three = [first, first + 1, first + 2].map(|position| self.stack.get(position));
        if three.iter().all(|entry| Self::moves_freely(*entry, first)) {
            for (position, entry) in [
                (first, three[1]),
                (first + 1, three[2]),
                (first + 2, three[0]),
            ] {
                self.stack.set(position, entry);
            }
        } else {
            self.settle(first + 2);
            self.exchange(first);
            self.exchange(first + 1);
        }
        at + 1
    }

    fn get_global(&mut self, at: usize, name: u16) -> usize {
        let dest = self.dest(at);
        let rop = if self.may_borrow(dest, Owner::Global(name)) {
            Rop::GlobalBorrow
        } else {
            Rop::GlobalCopy
        };
        self.out.emit(rop, 0, dest.field, name, 0);
        self.finish(dest, Entry::Borrowed(Owner::Global(name)))
    }

    fn set_global(&mut self, at: usize, name: u16) -> usize {
        let value = self.pop_operand();
        self.before_change(Owner::Global(name));
        self.out
            .emit(Rop::GlobalSet, value.first(), value.field, name, 0);
        at + 1
    }

    fn set_slot(&mut self, at: usize, slot: u16) -> usize {
        let register = self.slot(slot);
        let into = field(register);
        let entry = self.stack.pop();
        if entry == Entry::Slot(register) {
            return at + 1;
        }
        self.before_change(Owner::Register(register));
        match entry {
            Entry::Int(_) | Entry::Float(_) | Entry::Word(_) | Entry::Const(_) => {
                self.load_constant(into, entry);
            }
            _ => {
                let value = self.operand(entry, self.stack.height());
                let rop = match entry {
                    Entry::Home | Entry::Scalar => Rop::Take,
                    _ => Rop::Copy,
                };
                self.out.emit(rop, 0, into, value.field, 0);
            }
        }
        at + 1
    }

    /// An element or entry: borrowed on the stack, counted in a slot.
    fn element(&mut self, at: usize, rops: (Rop, Rop), from: u16, owner: Owner) -> usize {
        let key = self.pop_operand();
        let dest = self.dest(at);
        let rop = if self.may_borrow(dest, owner) {
            rops.1
        } else {
            rops.0
        };
        self.out
            .emit(rop, key.second(), dest.field, from, key.field);
        self.finish(dest, Entry::Borrowed(owner))
    }

    /// `a -- n`: of an element that was just read, without keeping it.
    fn string_len(&mut self, at: usize) -> usize {
        let top = self.stack.height() - 1;
        if let Entry::Borrowed(_) = self.stack.get(top)
            && let Some((last, word)) = self.out.last()
            && word.a() == self.home_field(top)
            && let Some(rop) = match word.op() {
                Rop::ElementBorrow => Some(Rop::ElementLen),
                Rop::SlotElementBorrow => Some(Rop::SlotElementLen),
                _ => None,
            }
        {
            self.stack.pop();
            self.out.retract(last);
            let dest = self.dest(at);
            self.out
                .emit(rop, word.flags(), dest.field, word.b(), word.c());
            return self.finish(dest, Entry::Scalar);
        }
        self.unary_rop(at, Rop::StringLen, 0)
    }

    /// `v k --` into the collection `into`.
    fn store(&mut self, at: usize, rop: Rop, into: u16, owner: Owner) -> usize {
        // Also the two operands, should they be borrowed from what changes.
        self.before_change(owner);
        let key = self.pop_operand();
        let int_rop = match rop {
            Rop::ElementSet => Some(Rop::ElementSetI),
            Rop::SlotElementSet => Some(Rop::SlotElementSetI),
            _ => None,
        };
        let top = self.stack.height() - 1;
        match (int_rop, self.stack.get(top)) {
            (Some(rop), Entry::Int(k)) => {
                self.stack.pop();
                let fields = [into, key.field, 0];
                self.out.emit_with(rop, key.first(), fields, k as u64);
                return at + 1;
            }
            (Some(Rop::ElementSetI), Entry::Word(word)) => {
                self.stack.pop();
                // First halves of scalars fit a field.
                let word = word as u16;
                self.out
                    .emit(Rop::ElementSetW, key.first(), into, key.field, word);
                return at + 1;
            }
            _ => {}
        }
        let value = self.pop_operand();
        let dies = key.first() | value.second();
        self.out.emit(rop, dies, into, key.field, value.field);
        at + 1
    }

    fn store_global(&mut self, at: usize, rop: Rop, global: u16) -> usize {
        self.store(at, rop, global, Owner::Global(global))
    }

    fn array_push(&mut self, at: usize, name: u16) -> usize {
        self.before_change(Owner::Global(name));
        let value = self.pop_operand();
        self.out
            .emit(Rop::ArrayPush, value.second(), name, 0, value.field);
        at + 1
    }

    fn call(&mut self, at: usize, name: u16, argc: usize) -> (usize, bool) {
        let Some(row) = self.lowering.sub_row(name) else {
            return self.call_function(at, name, argc);
        };
        let first = self.stack.height() - argc;
        self.pass(first);
        self.map();
        let region = self.shape.subs()[row].region as u32;
        let (low, high) = (region as u16, (region >> 16) as u16);
        let window = self.home_field(first);
        self.out.emit(Rop::Call, 0, window, low, high);
        self.out.label();
        self.stack.truncate(first);
        if leaves_value(self.shape, row) {
            self.note_counted(first);
            self.stack.push(Entry::Home);
        }
        (at + 1, true)
    }

    /// Puts the arguments from `first` on where a callee finds them. It may borrow from slots, as this
    /// frame outlives it, and it may change globals.
    pub(super) fn pass(&mut self, first: usize) {
        self.before_globals_change();
        for position in first..self.stack.height() {
            match self.stack.get(position) {
                Entry::Slot(register) => {
                    let home = self.home_field(position);
                    self.out.emit(Rop::Borrow, 0, home, field(register), 0);
                    self.stack.set(position, Entry::Home);
                }
                Entry::Borrowed(Owner::Register(_)) => self.stack.set(position, Entry::Home),
                _ => self.settle(position),
            }
        }
    }

    /// Leaves the frame before the op at `at`, which is public or the region's end. What follows is
    /// reached by taking the frame up there.
    pub(super) fn leave(&mut self, at: usize) -> (usize, bool) {
        debug_assert!(at == self.end || self.lowering.is_public(&self.chunk.ops[at]));
        if at == self.end && self.ends_function() {
            return self.end_function(at, self.stack.height() > 0);
        }
        self.map();
        let scope = self.scope as u32;
        let (low, high) = (scope as u16, (scope >> 16) as u16);
        self.out.emit(Rop::Leave, 0, 0, low, high);
        (at + 1, false)
    }

    /// Runs the op on values in the homes of its operands.
    fn outline(&mut self, at: usize) -> usize {
        let Some((pops, pushes)) = self.effect(&self.chunk.ops[at]) else {
            return at + 1;
        };
        let first = self.stack.height() - pops;
        for position in first..self.stack.height() {
            self.settle(position);
        }
        let fields = [self.home_field(first), pops as u16, pushes as u16];
        let gives = self.lowering.plain(&self.chunk.ops[at]).map(|p| p.gives);
        let flags = match gives {
            None => 0,
            Some(PlainKind::Int) => flag::GIVES_INT,
            Some(PlainKind::Float) => flag::GIVES_FLOAT,
        };
        self.out.emit_with(Rop::Outline, flags, fields, at as u64);
        self.stack.truncate(first);
        if gives.is_some() {
            self.stack.push(Entry::Scalar);
            return at + 1;
        }
        for position in first..first + pushes {
            self.note_counted(position);
            self.stack.push(Entry::Home);
        }
        at + 1
    }

    /// A fused loop over these slots.
    fn slot_loop(&mut self, at: usize, a: u16, b: u16) -> usize {
        let (a, b) = (self.slot(a), self.slot(b));
        self.before_change(Owner::Register(a));
        self.before_change(Owner::Register(b));
        self.map();
        let fields = [field(a), field(b), 0];
        self.out.emit_with(Rop::SlotLoop, 0, fields, at as u64);
        at + 1
    }

    /// How many values an op takes and leaves, if its row says so.
    fn effect(&self, op: &Op) -> Option<(usize, usize)> {
        if let Some(plain) = self.lowering.plain(op) {
            return Some((plain.pops, 1));
        }
        match op.effect() {
            StackEffect::Fixed { pops, pushes } => Some((pops as usize, pushes as usize)),
            StackEffect::Declared => None,
        }
    }

    /// The scope that the op at `at` opens.
    fn opened_scope(&self, at: usize) -> usize {
        let scopes = self.shape.scopes();
        let opened = |scope: &usize| scopes[*scope].opened_by == Some(at);
        let inner = self.shape.scope_at(at + 1).filter(opened);
        // Behind the last op there is none on record.
        inner
            .or_else(|| (0..scopes.len()).rev().find(opened))
            .unwrap_or(self.scope)
    }

    /// Makes the slots of the scope at this depth Undef.
    fn clear_slots(&mut self, depth: usize) {
        if let Some(slots) = self.frame.slots.get(depth)
            && let Some(first) = slots.first()
        {
            let (first, count) = (field(*first), slots.len() as u16);
            self.out.emit(Rop::Clear, 0, first, count, 0);
        }
    }

    /// Drops what was pushed in the scope that the op at `at` closes, and its slots.
    fn close_scope(&mut self, at: usize) {
        let scope = self.shape.scope_at(at).map(|s| self.shape.scopes()[s]);
        let base = scope.map_or(0, |scope| scope.base as usize);
        for position in base..self.stack.height() {
            if matches!(self.stack.get(position), Entry::Home) {
                let home = self.home_field(position);
                self.out.emit(Rop::Drop, 0, home, 0, 0);
            }
        }
        self.stack.truncate(base);
        self.clear_slots(self.depth);
        if let Some(parent) = scope.and_then(|scope| scope.parent) {
            self.set_scope(parent);
        }
    }

    /// Begins the region: slots that are new are Undef, arguments where they belong.
    pub(super) fn enter(&mut self) {
        let argc = self.frame.argc;
        let arguments = if self.frame.prologue > 0 { 0 } else { argc };
        if self.frame.keeps_slots {
            // The elements that a block is run for.
            let height = self.frame.entry_height;
            self.stack.reset(height);
            (0..height).for_each(|position| self.note_counted(position));
            return;
        }
        self.stack.reset(arguments);
        let slots = self.frame.slots[0].iter();
        let fresh = slots
            .filter(|register| usize::from(**register) >= argc)
            .count();
        if fresh > 0 {
            self.out
                .emit(Rop::Clear, 0, field(argc as u16), fresh as u16, 0);
        }
        if self.frame.homes > 0 {
            for position in 0..arguments {
                self.note_counted(position);
                let home = self.home_field(position);
                self.out.emit(Rop::Take, 0, home, field(position as u16), 0);
            }
        } else {
            self.counted = self.counted.max(argc as u16);
        }
    }
}
