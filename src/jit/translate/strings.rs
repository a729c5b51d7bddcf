//! Lengths of strings, and short ones appended in place.

use super::super::abi::Helper;
use super::super::ir::inst::Inst;
use super::super::kinds::Kind;
use super::super::views::Level;
use super::Translator;
use super::collections::ELEMENT_SHIFT;
use super::registers::PAYLOAD;
use crate::lower::code::flag;
use crate::value::tag;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, InstBuilder, MemFlagsData, Value, types};

impl Translator<'_, '_> {
    /// `a = length of b`.
    pub(super) fn string_len(&mut self, inst: &Inst) {
        let register = inst.b();
        if !self.kinds[register].is_boxed() {
            self.sync(register);
            self.note_helped();
            let place = self.address(register);
            let len = self.ask_helper(Helper::StringLen, &[place]);
            self.put(inst.a(), Kind::Int, len);
            return;
        }
        let (slow, done) = (self.cold_block(), self.b.create_block());
        let result = self.b.append_block_param(done, types::I64);
        let tag = self.tag(register);
        self.need_string(tag, slow);
        let buffer = self.payload(register, types::I64);
        let len = self.length(buffer);
        self.b.ins().jump(done, &[len.into()]);
        self.b.switch_to_block(slow);
        let place = self.address(register);
        let len = self.ask_rarely(Helper::StringLen, &[place]);
        self.b.ins().jump(done, &[len.into()]);
        self.b.switch_to_block(done);
        self.drop_dying(inst, register, None);
        self.put(inst.a(), Kind::Int, result);
    }

    /// `a = length of element c` of an array.
    pub(super) fn element_len(&mut self, inst: &Inst) {
        let (to, index) = (inst.a(), inst.c());
        let dies = inst.word.flags() & flag::SECOND_DIES != 0;
        let may_be_index = self.may_be_index(index) && !(dies && self.kinds[index] == Kind::Any);
        let Some(array) = self.array_of(inst).filter(|_| may_be_index) else {
            let len = self.step_for(inst, PAYLOAD, types::I64);
            self.define(to, Kind::Int, len);
            return;
        };
        let view = self.view(array, Level::Read);
        let (slow, done) = (self.cold_block(), self.b.create_block());
        let result = self.b.append_block_param(done, types::I64);
        self.commit();
        let index = self.index(index, slow);
        let element = self.element_or(view, index, slow);
        let flags = MemFlagsData::trusted();
        let tag = self.b.ins().uload8(types::I64, flags, element, 0);
        self.need_string(tag, slow);
        let buffer = self.load(element, PAYLOAD);
        let len = self.length(buffer);
        self.b.ins().jump(done, &[len.into()]);
        self.b.switch_to_block(slow);
        let after = self.b.create_block();
        self.rarely(inst, after);
        self.b.switch_to_block(after);
        let len = self.result_of(inst, PAYLOAD, types::I64);
        self.b.ins().jump(done, &[len.into()]);
        self.b.switch_to_block(done);
        self.make_way(to);
        self.define(to, Kind::Int, result);
    }

    /// `a = b . c`. Inline where a short string is appended to a long one that nobody shares, and that has room
    /// for as many bytes as a short one may have: all of these are copied, whatever the length.
    pub(super) fn concat(&mut self, inst: &Inst) {
        let (text, piece) = (inst.a(), inst.c());
        let in_place = inst.b() == text && piece != text;
        if self.look_ahead(inst) {
            return;
        }
        if !in_place || self.kinds[text] != Kind::Any || !self.kinds[piece].is_boxed() {
            return self.step(inst);
        }
        let layout = self.cx.layout.str;
        let most_inline = i64::from(layout.most_inline);
        let dies = inst.word.flags() & flag::SECOND_DIES != 0;
        let (slow, done) = (self.cold_block(), self.b.create_block());
        self.commit();
        let short = self.string_or(piece, false, slow);
        let more = self.load(short, layout.inline_len);
        let is_short = self
            .b
            .ins()
            .icmp_imm_u(IntCC::UnsignedLessThanOrEqual, more, most_inline);
        self.need(is_short, slow);
        let tag = self.tag(text);
        let is_own = self
            .b
            .ins()
            .icmp_imm_s(IntCC::Equal, tag, i64::from(tag::STR));
        self.need(is_own, slow);
        let buffer = self.payload(text, types::I64);
        let len = self.room_or(buffer, most_inline, slow);
        let longer = self.b.ins().iadd(len, more);
        let elements = self.b.ins().ushr_imm_u(longer, ELEMENT_SHIFT);
        let most = self.load_context(self.cx.layout.max_items);
        let fits = self.b.ins().icmp(IntCC::UnsignedLessThan, elements, most);
        self.need(fits, slow);
        self.forget(buffer, slow);
        let items = self.load(buffer, layout.items);
        let behind = self.b.ins().iadd(items, len);
        let flags = MemFlagsData::trusted();
        for at in (0..layout.most_inline).step_by(8) {
            let bytes = self.load(short, layout.items + at);
            self.b.ins().store(flags, bytes, behind, at);
        }
        self.b
            .ins()
            .store(flags, longer, buffer, layout.spilled_len);
        if dies && self.kinds[piece] == Kind::Any {
            self.release_if_counted(piece);
        }
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(slow);
        self.rarely(inst, done);
        self.b.switch_to_block(done);
    }

    /// The length of a string that nobody shares and that is on the heap, with room for so many bytes; any other
    /// goes to `slow`.
    fn room_or(&mut self, buffer: Value, bytes: i64, slow: ir::Block) -> Value {
        let layout = self.cx.layout.str;
        self.unshared_or(buffer, layout.count, slow);
        let capacity = self.load(buffer, layout.inline_len);
        let most_inline = i64::from(layout.most_inline);
        let is_spilled = self
            .b
            .ins()
            .icmp_imm_u(IntCC::UnsignedGreaterThan, capacity, most_inline);
        self.need(is_spilled, slow);
        let len = self.load(buffer, layout.spilled_len);
        let room = self.b.ins().isub(capacity, len);
        let has_room = self
            .b
            .ins()
            .icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, room, bytes);
        self.need(has_room, slow);
        len
    }

    /// Forgets what a string keeps beside its bytes, which change; at `slow` where it has a text to be freed.
    fn forget(&mut self, buffer: Value, slow: ir::Block) {
        let layout = self.cx.layout.str;
        let lossy = self.load(buffer, layout.lossy);
        self.need_not(lossy, slow);
        let flags = MemFlagsData::trusted();
        let (none, no_hint) = (
            self.b.ins().iconst(types::I32, 0),
            self.b.ins().iconst(types::I32, i64::from(layout.no_hint)),
        );
        self.b.ins().store(flags, none, buffer, layout.hash);
        self.b.ins().store(flags, no_hint, buffer, layout.hint);
    }

    /// The buffer of a string. One that has to be dropped goes to `slow`, as does what is no string.
    pub(super) fn string_or(
        &mut self,
        register: usize,
        is_dropped: bool,
        slow: ir::Block,
    ) -> Value {
        let may_be_counted = self.kinds[register] == Kind::Any && !is_dropped;
        let mut found = self.tag(register);
        if may_be_counted {
            found = self.b.ins().band_imm_u(found, i64::from(!tag::COUNTED));
        }
        let borrowed = i64::from(tag::STR & !tag::COUNTED);
        let fits = self.b.ins().icmp_imm_s(IntCC::Equal, found, borrowed);
        self.need(fits, slow);
        self.payload(register, types::I64)
    }

    /// The tag of what is no string goes to `slow`.
    fn need_string(&mut self, found: Value, slow: ir::Block) {
        let found = self.b.ins().bor_imm_u(found, i64::from(tag::COUNTED));
        let fits = self
            .b
            .ins()
            .icmp_imm_s(IntCC::Equal, found, i64::from(tag::STR));
        self.need(fits, slow);
    }

    /// The length of the string of this buffer.
    fn length(&mut self, buffer: Value) -> Value {
        let layout = self.cx.layout.str;
        let inline = self.load(buffer, layout.inline_len);
        let spilled = self.load(buffer, layout.spilled_len);
        let most = i64::from(layout.most_inline);
        let is_inline = self
            .b
            .ins()
            .icmp_imm_u(IntCC::UnsignedLessThanOrEqual, inline, most);
        self.b.ins().select(is_inline, inline, spilled)
    }
}
