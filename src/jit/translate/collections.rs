//! Arrays, hashes and strings: elements inline, the rest by helpers.

use super::super::abi::Helper;
use super::super::kinds::Kind;
use super::super::kinds::inst::Inst;
use super::Translator;
use super::registers::offset;
use crate::lower::code::Rop;
use crate::value::tag;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, InstBuilder, MemFlagsData, Value, types};

/// Binary logarithm of an element's bytes.
const ELEMENT_SHIFT: i64 = 4;

impl Translator<'_, '_> {
    /// Writes an instruction on collections or strings.
    pub(super) fn collection(&mut self, inst: &Inst) {
        match inst.op {
            Rop::ElementCopy | Rop::ElementBorrow => {
                let globals = self.load_context(self.cx.layout.globals);
                let at = offset(usize::from(inst.word.b()));
                self.element(inst, globals, at, None);
            }
            Rop::SlotElementCopy | Rop::SlotElementBorrow => {
                let (base, register) = (self.base, inst.b());
                self.element(inst, base, offset(register), Some(register));
            }
            Rop::ElementSet | Rop::ElementSetI => {
                let globals = self.load_context(self.cx.layout.globals);
                let at = offset(usize::from(inst.word.a()));
                self.set_element(inst, globals, at, None);
            }
            Rop::SlotElementSet | Rop::SlotElementSetI => {
                let (base, register) = (self.base, inst.a());
                self.set_element(inst, base, offset(register), Some(register));
            }
            Rop::ArrayPush => self.push(inst),
            Rop::ArrayLen => self.array_len(inst),
            Rop::StringLen => {
                let register = inst.b();
                self.sync(register);
                self.share.inline -= 1;
                let place = self.address(register);
                let len = self.ask_helper(Helper::StringLen, &[place]);
                self.drop_dying(inst, register, None);
                self.put(inst.a(), Kind::Int, len);
            }
            _ => self.step(inst),
        }
    }

    /// A word of an array's buffer.
    fn load(&mut self, buffer: Value, at: i32) -> Value {
        let flags = MemFlagsData::trusted();
        self.b.ins().load(types::I64, flags, buffer, at)
    }

    /// Goes on in a new block if the condition holds, else at `slow`.
    fn need(&mut self, condition: Value, slow: ir::Block) {
        let go_on = self.b.create_block();
        self.b.ins().brif(condition, go_on, &[], slow, &[]);
        self.b.switch_to_block(go_on);
    }

    /// The buffer of the array at a place; its tag has to be this one, once `mask` is added.
    fn buffer(&mut self, list: Value, at: i32, mask: u8, slow: ir::Block) -> Value {
        let flags = MemFlagsData::trusted();
        let tag = self.b.ins().uload8(types::I64, flags, list, at);
        let tag = match mask {
            0 => tag,
            mask => self.b.ins().bor_imm_u(tag, i64::from(mask)),
        };
        let fits = self
            .b
            .ins()
            .icmp_imm_s(IntCC::Equal, tag, i64::from(tag::ARRAY));
        self.need(fits, slow);
        self.load(list, at + 8)
    }

    /// The index as an Int; what is none goes to `slow`.
    fn index(&mut self, register: usize, slow: ir::Block) -> Value {
        if self.kinds[register] == Kind::Int {
            return self.value(register);
        }
        let tag = self.tag(register);
        let fits = self.b.ins().icmp_imm_s(IntCC::Equal, tag, 0);
        self.need(fits, slow);
        self.payload(register, types::I64)
    }

    /// The address of an element; what is out of range goes to `slow`.
    fn element_at(&mut self, buffer: Value, index: Value, slow: ir::Block) -> Value {
        let layout = self.cx.layout.array;
        let len = self.load(buffer, layout.len);
        let head = self.load(buffer, layout.head);
        let live = self.b.ins().isub(len, head);
        let fits = self.b.ins().icmp(IntCC::UnsignedLessThan, index, live);
        self.need(fits, slow);
        let items = self.load(buffer, layout.items);
        let place = self.b.ins().iadd(index, head);
        let distance = self.b.ins().ishl_imm_u(place, ELEMENT_SHIFT);
        self.b.ins().iadd(items, distance)
    }

    /// Whether the register can be an index at all.
    fn may_be_index(&self, register: usize) -> bool {
        self.kinds[register] == Kind::Int || self.kinds[register].is_boxed()
    }

    /// `a = element c` of the array at a place.
    fn element(&mut self, inst: &Inst, list: Value, at: i32, register: Option<usize>) {
        let (to, index) = (inst.a(), inst.c());
        let is_array = register.is_none_or(|register| self.kinds[register].is_boxed());
        let overlaps = register == Some(to) || (to == index && self.kinds[index].is_boxed());
        if !is_array || overlaps || !self.may_be_index(index) {
            self.step(inst);
            return;
        }
        let counts = matches!(inst.op, Rop::ElementCopy | Rop::SlotElementCopy);
        let (slow, done) = (self.cold_block(), self.b.create_block());
        let low_out = self.b.append_block_param(done, types::I64);
        let high_out = self.b.append_block_param(done, types::I64);
        let index_value = self.index_before(to, index, slow);
        let buffer = self.buffer(list, at, tag::COUNTED, slow);
        let element = self.element_at(buffer, index_value, slow);
        let low = self.load(element, 0);
        let high = self.load(element, 8);
        let low = if counts {
            let pointer = self.b.ins().band_imm_u(low, i64::from(tag::POINTER));
            let simple = self.b.ins().icmp_imm_s(IntCC::Equal, pointer, 0);
            self.need(simple, slow);
            low
        } else {
            self.b.ins().band_imm_s(low, !i64::from(tag::COUNTED))
        };
        let base = self.base;
        let flags = MemFlagsData::trusted();
        self.b.ins().store(flags, low, base, offset(to));
        self.b.ins().store(flags, high, base, offset(to) + 8);
        self.b.ins().jump(done, &[low.into(), high.into()]);

        self.b.switch_to_block(slow);
        let after = self.b.create_block();
        self.rarely(inst, after);
        self.b.switch_to_block(after);
        let low = self.b.ins().load(types::I64, flags, base, offset(to));
        let high = self.b.ins().load(types::I64, flags, base, offset(to) + 8);
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

    /// `element b = c`, or a constant, of the array at a place.
    fn set_element(&mut self, inst: &Inst, list: Value, at: i32, register: Option<usize>) {
        let index = inst.b();
        let is_array = register.is_none_or(|register| self.kinds[register].is_boxed());
        if !is_array || !self.may_be_index(index) {
            self.step(inst);
            return;
        }
        let (slow, done) = (self.cold_block(), self.b.create_block());
        let constant = inst.op.words() == 2;
        let index_value = self.index(index, slow);
        if !constant {
            self.need_no_pointer(inst.c(), slow);
        }
        let buffer = self.buffer(list, at, 0, slow);
        self.need_unshared(buffer, slow);
        let element = self.element_at(buffer, index_value, slow);
        let flags = MemFlagsData::trusted();
        let old = self.b.ins().uload8(types::I64, flags, element, 0);
        let counted = self.b.ins().band_imm_u(old, i64::from(tag::COUNTED));
        let simple = self.b.ins().icmp_imm_s(IntCC::Equal, counted, 0);
        self.need(simple, slow);
        let (low, high) = if constant {
            let tag = self.int(i64::from(tag::INT));
            (tag, Some(self.int(inst.immediate as i64)))
        } else {
            self.halves_of(inst.c())
        };
        self.store_value(element, low, high);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(slow);
        self.rarely(inst, done);
        self.b.switch_to_block(done);
    }

    fn store_value(&mut self, place: Value, low: Value, high: Option<Value>) {
        let flags = MemFlagsData::trusted();
        self.b.ins().store(flags, low, place, 0);
        if let Some(high) = high {
            self.b.ins().store(flags, high, place, 8);
        }
    }

    /// A value that has to be counted or moved goes to `slow`.
    fn need_no_pointer(&mut self, register: usize, slow: ir::Block) {
        if self.kinds[register].is_boxed() {
            let tag = self.tag(register);
            let pointer = self.b.ins().band_imm_u(tag, i64::from(tag::POINTER));
            let simple = self.b.ins().icmp_imm_s(IntCC::Equal, pointer, 0);
            self.need(simple, slow);
        }
    }

    fn need_unshared(&mut self, buffer: Value, slow: ir::Block) {
        let count = self.load(buffer, self.cx.layout.array.count);
        let alone = self.b.ins().icmp_imm_s(IntCC::Equal, count, 1);
        self.need(alone, slow);
    }

    /// Appends to a global's array that has room.
    fn push(&mut self, inst: &Inst) {
        let layout = self.cx.layout.array;
        let value = inst.c();
        let (slow, done) = (self.cold_block(), self.b.create_block());
        self.need_no_pointer(value, slow);
        let globals = self.load_context(self.cx.layout.globals);
        let at = offset(usize::from(inst.word.a()));
        let buffer = self.buffer(globals, at, 0, slow);
        self.need_unshared(buffer, slow);
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
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(slow);
        self.rarely(inst, done);
        self.b.switch_to_block(done);
    }

    /// The number of elements of a global's array, 0 of anything else.
    fn array_len(&mut self, inst: &Inst) {
        let layout = self.cx.layout.array;
        let (other, done) = (self.b.create_block(), self.b.create_block());
        let result = self.b.append_block_param(done, types::I64);
        let globals = self.load_context(self.cx.layout.globals);
        let at = offset(usize::from(inst.word.b()));
        let buffer = self.buffer(globals, at, 0, other);
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
