//! Hashes: entries that a key knows the place of inline, the rest by helpers.
//!
//! A string that is itself a key of a table keeps where it was last found. Loops that count words or fill
//! records look up the same few strings, so mostly one comparison of pointers finds the entry, without a hash.

use super::super::ir::inst::Inst;
use super::Translator;
use crate::lower::code::{Rop, flag};
use crate::value::tag;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, InstBuilder, MemFlagsData, Value, types};

impl Translator<'_, '_> {
    /// `a = entry c` of a global's hash.
    pub(super) fn hash_get(&mut self, inst: &Inst) {
        let (to, key) = (inst.a(), inst.c());
        if !self.kinds[key].is_boxed() {
            return self.step(inst);
        }
        let dies = inst.word.flags() & flag::SECOND_DIES != 0;
        let counts = inst.op == Rop::HashGetCopy;
        let slow = self.cold_block();
        self.commit();
        let key_buffer = self.string_or(key, dies || to == key, slow);
        if to != key {
            self.make_way(to);
        }
        let table = self.global_buffer(inst.word.b(), tag::HASH, slow);
        let entry = self.entry_or(table, key_buffer, slow);
        let value = self
            .b
            .ins()
            .iadd_imm_s(entry, i64::from(self.cx.layout.hash.value));
        self.item(inst, value, counts, slow);
    }

    /// `entry b = c` of a global's hash.
    pub(super) fn hash_set(&mut self, inst: &Inst) {
        let (key, value) = (inst.b(), inst.c());
        if !self.kinds[key].is_boxed() {
            return self.step(inst);
        }
        let dies = inst.word.flags() & flag::FIRST_DIES != 0;
        let (slow, done) = (self.cold_block(), self.b.create_block());
        self.commit();
        self.need_no_pointer(value, slow);
        let key_buffer = self.string_or(key, dies, slow);
        let table = self.global_buffer(inst.word.a(), tag::HASH, slow);
        let owners = self.load(table, self.cx.layout.hash.count);
        let alone = self.b.ins().icmp_imm_s(IntCC::Equal, owners, 1);
        self.need(alone, slow);
        let entry = self.entry_or(table, key_buffer, slow);
        let place = self
            .b
            .ins()
            .iadd_imm_s(entry, i64::from(self.cx.layout.hash.value));
        let flags = MemFlagsData::trusted();
        let old = self.b.ins().uload8(types::I64, flags, place, 0);
        let counted = self.b.ins().band_imm_u(old, i64::from(tag::COUNTED));
        self.need_not(counted, slow);
        let (low, high) = self.halves_of(value);
        self.store_value(place, low, high);
        self.b.ins().jump(done, &[]);
        self.b.switch_to_block(slow);
        self.rarely(inst, done);
        self.b.switch_to_block(done);
    }

    /// The entry of a table at which the key itself is, if it is where the key says; else `slow` goes on.
    fn entry_or(&mut self, table: Value, key: Value, slow: ir::Block) -> Value {
        let layout = self.cx.layout.hash;
        let flags = MemFlagsData::trusted();
        let hint = self.cx.layout.str.hint;
        let place = self.b.ins().uload32(flags, key, hint);
        let len = self.load(table, layout.len);
        let is_there = self.b.ins().icmp(IntCC::UnsignedLessThan, place, len);
        self.need(is_there, slow);
        let entries = self.load(table, layout.entries);
        let distance = self
            .b
            .ins()
            .imul_imm_s(place, i64::from(layout.entry_bytes));
        let entry = self.b.ins().iadd(entries, distance);
        let kept = self.load(entry, layout.key);
        let is_same = self.b.ins().icmp(IntCC::Equal, kept, key);
        self.need(is_same, slow);
        entry
    }
}
