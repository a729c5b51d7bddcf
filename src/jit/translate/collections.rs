//! Arrays: elements inline, the rest by helpers. Which way other collections' instructions go.

use super::super::ir::inst::Inst;
use super::super::kinds::Kind;
use super::super::kinds::transfer::element_kind;
use super::super::views::{Array, Level, access};
use super::Translator;
use super::elements::tag_of;
use super::registers::{PAYLOAD, offset};
use crate::lower::code::Rop;
use crate::value::tag;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, InstBuilder, MemFlagsData, Value, types};

/// Binary logarithm of an element's bytes.
pub(super) const ELEMENT_SHIFT: i64 = 4;

impl Translator<'_, '_> {
    /// A buffer with more than one owner, `count` being where it counts them, goes to `slow`.
    pub(super) fn unshared_or(&mut self, buffer: Value, count: i32, slow: ir::Block) {
        let owners = self.load(buffer, count);
        let alone = self.b.ins().icmp_imm_s(IntCC::Equal, owners, 1);
        self.need(alone, slow);
    }

    /// Writes an instruction on collections or strings.
    pub(super) fn collection(&mut self, inst: &Inst) {
        match inst.op {
            Rop::ElementCopy
            | Rop::ElementBorrow
            | Rop::SlotElementCopy
            | Rop::SlotElementBorrow => self.element(inst),
            Rop::ElementSet
            | Rop::ElementSetI
            | Rop::ElementSetW
            | Rop::SlotElementSet
            | Rop::SlotElementSetI => self.set_element(inst),
            Rop::ArrayPush => self.push(inst),
            Rop::ArrayLen => self.array_len(inst),
            Rop::StringLen => self.string_len(inst),
            Rop::ElementLen | Rop::SlotElementLen => self.element_len(inst),
            Rop::HashGetCopy | Rop::HashGetBorrow => self.hash_get(inst),
            Rop::HashSet => self.hash_set(inst),
            Rop::Concat => self.concat(inst),
            Rop::HashExists => {
                let truth = self.step_for(inst, 1, types::I8);
                self.define(inst.a(), Kind::Bool, truth);
            }
            Rop::Outline if inst.word.flags() != 0 => self.plain_function(inst),
            _ => self.step(inst),
        }
    }

    /// Has the engine do the instruction; gives a part of the scalar that is its result.
    pub(super) fn step_for(&mut self, inst: &Inst, at: i32, ty: ir::Type) -> Value {
        self.step(inst);
        self.result_of(inst, at, ty)
    }

    /// A part of the scalar that the engine has left as the result.
    pub(super) fn result_of(&mut self, inst: &Inst, at: i32, ty: ir::Type) -> Value {
        let (base, at) = (self.base, offset(inst.a()) + at);
        let flags = MemFlagsData::trusted();
        if ty == types::I8 {
            return self.b.ins().uload8(types::I64, flags, base, at);
        }
        self.b.ins().load(ty, flags, base, at)
    }

    /// A word of a buffer.
    pub(super) fn load(&mut self, buffer: Value, at: i32) -> Value {
        let flags = MemFlagsData::trusted();
        self.b.ins().load(types::I64, flags, buffer, at)
    }

    /// The array that the instruction accesses, if its place may hold one.
    pub(super) fn array_of(&self, inst: &Inst) -> Option<Array> {
        let (array, _) = access(inst)?;
        match array {
            Array::Register(register) if !self.kinds[register].is_boxed() => None,
            array => Some(array),
        }
    }

    /// The index as an Int; what is none goes to `slow`.
    pub(super) fn index(&mut self, register: usize, slow: ir::Block) -> Value {
        if self.kinds[register] == Kind::Int {
            return self.value(register);
        }
        let tag = self.tag(register);
        let fits = self.b.ins().icmp_imm_s(IntCC::Equal, tag, 0);
        self.need(fits, slow);
        self.payload(register, types::I64)
    }

    /// Whether the register can be an index at all.
    pub(super) fn may_be_index(&self, register: usize) -> bool {
        self.kinds[register] == Kind::Int || self.kinds[register].is_boxed()
    }

    /// `a = element c` of an array.
    fn element(&mut self, inst: &Inst) {
        let (to, index) = (inst.a(), inst.c());
        let array = self.array_of(inst);
        let kind = match array {
            Some(Array::Register(register)) => self.kinds[register],
            _ => Kind::Any,
        };
        let typed = element_kind(self.seen, kind, self.kinds[index]);
        if let (Some(array), Some(kind)) = (array, typed) {
            let value = match self.element_at_hand(array, index, kind) {
                Some(value) => value,
                None => {
                    let index = self.guarded_int(index);
                    self.load_element(array, index, kind)
                }
            };
            self.put(to, kind, value);
            return;
        }
        let overlaps =
            array == Some(Array::Register(to)) || (to == index && self.kinds[index].is_boxed());
        match array.filter(|_| !overlaps && self.may_be_index(index)) {
            Some(array) => self.boxed_element(inst, array),
            None => {
                if let Some(array) = array {
                    self.view(array, Level::Read);
                }
                self.step(inst);
            }
        }
    }

    /// The same as a boxed value, whatever it is.
    fn boxed_element(&mut self, inst: &Inst, array: Array) {
        let (to, index) = (inst.a(), inst.c());
        let counts = matches!(inst.op, Rop::ElementCopy | Rop::SlotElementCopy);
        let view = self.view(array, Level::Read);
        let slow = self.cold_block();
        self.commit();
        let index_value = self.index_before(to, index, slow);
        let element = self.element_or(view, index_value, slow);
        self.item(inst, element, counts, slow);
    }

    /// Writes an item of a collection as the result, whatever it is; at `slow` the engine does the
    /// instruction.
    pub(super) fn item(&mut self, inst: &Inst, item: Value, counts: bool, slow: ir::Block) {
        let to = inst.a();
        let done = self.b.create_block();
        let low_out = self.b.append_block_param(done, types::I64);
        let high_out = self.b.append_block_param(done, types::I64);
        let low = self.load(item, 0);
        let high = self.load(item, PAYLOAD);
        let low = if counts {
            let pointer = self.b.ins().band_imm_u(low, i64::from(tag::POINTER));
            self.need_not(pointer, slow);
            low
        } else {
            self.b.ins().band_imm_s(low, !i64::from(tag::COUNTED))
        };
        let base = self.base;
        let flags = MemFlagsData::trusted();
        self.b.ins().store(flags, low, base, offset(to));
        self.b.ins().store(flags, high, base, offset(to) + PAYLOAD);
        self.b.ins().jump(done, &[low.into(), high.into()]);

        self.b.switch_to_block(slow);
        let after = self.b.create_block();
        self.rarely(inst, after);
        self.b.switch_to_block(after);
        let low = self.result_of(inst, 0, types::I64);
        let high = self.result_of(inst, PAYLOAD, types::I64);
        self.b.ins().jump(done, &[low.into(), high.into()]);
        self.b.switch_to_block(done);
        self.halves[to] = Some((low_out, high_out));
        self.synced[to] = false;
    }

    /// The index of a read, with way made for the result where that is another register.
    fn index_before(&mut self, to: usize, index: usize, slow: ir::Block) -> Value {
        if to == index {
            return self.value(index);
        }
        self.make_way(to);
        self.index(index, slow)
    }

    /// `element b = c`, or a constant, of an array.
    fn set_element(&mut self, inst: &Inst) {
        let index = inst.b();
        let array = self.array_of(inst);
        let Some(array) = array.filter(|_| self.may_be_index(index)) else {
            if let Some(array) = array {
                self.view(array, Level::Write);
                self.step(inst);
                self.refresh(array);
            } else {
                self.step(inst);
            }
            return;
        };
        if self.seen.is_irregular() {
            self.set_any_element(inst, array);
            return;
        }
        let index = self.guarded_int(index);
        let (halves, stored) = match self.constant(inst) {
            Some((halves, stored)) => (halves, Some(stored)),
            None => {
                let register = inst.c();
                let kind = self.kinds[register];
                if kind.is_boxed() {
                    let tag = self.tag(register);
                    let pointer = self.b.ins().band_imm_u(tag, i64::from(tag::POINTER));
                    self.guard_not(pointer);
                }
                let stored = matches!(kind, Kind::Int | Kind::Float).then(|| tag_of(kind));
                (self.halves_of(register), stored)
            }
        };
        self.store_element(array, index, halves, stored);
    }

    /// The constant that an instruction stores, with its tag.
    fn constant(&mut self, inst: &Inst) -> Option<((Value, Option<Value>), u8)> {
        match inst.op {
            Rop::ElementSetI | Rop::SlotElementSetI => {
                let tag = self.int(i64::from(tag::INT));
                let value = self.int(inst.immediate as i64);
                Some(((tag, Some(value)), tag::INT))
            }
            Rop::ElementSetW => {
                let word = i64::from(inst.word.c());
                Some(((self.int(word), None), word as u8))
            }
            _ => None,
        }
    }

    /// The same whatever the array and its element are.
    fn set_any_element(&mut self, inst: &Inst, array: Array) {
        let view = self.view(array, Level::Write);
        self.commit();
        let (slow, done) = (self.cold_block(), self.b.create_block());
        let index_value = self.index(inst.b(), slow);
        let constant = self.constant(inst);
        if constant.is_none() {
            self.need_no_pointer(inst.c(), slow);
        }
        let element = self.element_or(view, index_value, slow);
        let flags = MemFlagsData::trusted();
        let old = self.b.ins().uload8(types::I64, flags, element, 0);
        let counted = self.b.ins().band_imm_u(old, i64::from(tag::COUNTED));
        self.need_not(counted, slow);
        let (low, high) = match constant {
            Some((halves, _)) => halves,
            None => self.halves_of(inst.c()),
        };
        self.store_value(element, low, high);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(slow);
        self.rarely_on(inst, array, done);
        self.b.switch_to_block(done);
    }

    pub(super) fn store_value(&mut self, place: Value, low: Value, high: Option<Value>) {
        let flags = MemFlagsData::trusted();
        self.b.ins().store(flags, low, place, 0);
        if let Some(high) = high {
            self.b.ins().store(flags, high, place, PAYLOAD);
        }
    }

    /// A value that has to be counted or moved goes to `slow`.
    pub(super) fn need_no_pointer(&mut self, register: usize, slow: ir::Block) {
        if self.kinds[register].is_boxed() {
            let tag = self.tag(register);
            let pointer = self.b.ins().band_imm_u(tag, i64::from(tag::POINTER));
            self.need_not(pointer, slow);
        }
    }

    /// Appends to a global's array that has room.
    fn push(&mut self, inst: &Inst) {
        let layout = self.cx.layout.array;
        let value = inst.c();
        let array = Array::Global(inst.word.a());
        self.commit();
        let (slow, done) = (self.cold_block(), self.b.create_block());
        self.need_no_pointer(value, slow);
        let buffer = self.global_buffer(inst.word.a(), tag::ARRAY, slow);
        self.unshared_or(buffer, layout.count, slow);
        let len = self.load(buffer, layout.len);
        let capacity = self.load(buffer, layout.capacity);
        let has_room = self.b.ins().icmp(IntCC::UnsignedLessThan, len, capacity);
        self.need(has_room, slow);
        let head = self.load(buffer, layout.head);
        let live = self.b.ins().isub(len, head);
        let most = self.load_context(self.cx.layout.max_items);
        let may_grow = self.b.ins().icmp(IntCC::UnsignedLessThan, live, most);
        self.need(may_grow, slow);
        let items = self.load(buffer, layout.items);
        let distance = self.b.ins().ishl_imm_u(len, ELEMENT_SHIFT);
        let place = self.b.ins().iadd(items, distance);
        let (low, high) = self.halves_of(value);
        self.store_value(place, low, high);
        let longer = self.b.ins().iadd_imm_s(len, 1);
        let flags = MemFlagsData::trusted();
        self.b.ins().store(flags, longer, buffer, layout.len);
        self.lengthen(array);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(slow);
        self.rarely_on(inst, array, done);
        self.b.switch_to_block(done);
    }

    /// The buffer of a global's own value of this kind; anything else goes to `other`.
    pub(super) fn global_buffer(&mut self, global: u16, kind: u8, other: ir::Block) -> Value {
        let globals = self.load_context(self.cx.layout.globals);
        let at = offset(usize::from(global));
        let flags = MemFlagsData::trusted();
        let found = self.b.ins().uload8(types::I64, flags, globals, at);
        let fits = self
            .b
            .ins()
            .icmp_imm_s(IntCC::Equal, found, i64::from(kind));
        self.need(fits, other);
        self.load(globals, at + PAYLOAD)
    }

    /// The number of elements of a global's array, 0 of anything else.
    fn array_len(&mut self, inst: &Inst) {
        let layout = self.cx.layout.array;
        if let Some(len) = self.known_len(Array::Global(inst.word.b())) {
            self.put(inst.a(), Kind::Int, len);
            return;
        }
        let (other, done) = (self.b.create_block(), self.b.create_block());
        let result = self.b.append_block_param(done, types::I64);
        let buffer = self.global_buffer(inst.word.b(), tag::ARRAY, other);
        let len = self.load(buffer, layout.len);
        let head = self.load(buffer, layout.head);
        let live = self.b.ins().isub(len, head);
        self.b.ins().jump(done, &[live.into()]);
        self.b.switch_to_block(other);
        let none = self.int(0);
        self.b.ins().jump(done, &[none.into()]);
        self.b.switch_to_block(done);
        self.put(inst.a(), Kind::Int, result);
    }
}
