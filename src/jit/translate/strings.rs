//! Lengths of strings inline.

use super::super::abi::Helper;
use super::super::ir::inst::Inst;
use super::super::kinds::Kind;
use super::super::views::Level;
use super::Translator;
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
