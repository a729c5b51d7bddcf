//! Hashes: entries that a key knows the place of inline, the rest by helpers.
//!
//! A string that is itself a key of a table keeps where it was last found. Loops that count words or fill
//! records look up the same few strings, so mostly one comparison of pointers finds the entry, without a hash.

use super::super::abi::Helper;
use super::super::ir::inst::Inst;
use super::super::kinds::Kind;
use super::Translator;
use crate::lower::code::{Rop, flag};
use crate::value::tag;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, InstBuilder, MemFlagsData, Value, types};

impl Translator<'_, '_> {
    /// `a = entry c` of a global's hash.
    pub(super) fn hash_get(&mut self, inst: &Inst) {
        let (to, key) = (inst.a(), inst.c());
        if let Some(entry) = self.joined_entry.take() {
            return self.found(inst, entry);
        }
        if !self.kinds[key].is_boxed() || self.was_joined(key) {
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

    /// The same where the entry's value was looked for already: `entry` is where it is, or 0. It is nothing that
    /// would have to be counted.
    fn found(&mut self, inst: &Inst, entry: Value) {
        let (to, slow) = (inst.a(), self.cold_block());
        self.commit();
        self.need(entry, slow);
        if to != inst.c() {
            self.make_way(to);
        }
        self.item(inst, entry, false, slow);
    }

    /// Looks for the entry of a key that a Concat of a string and an Int makes for the next instruction alone,
    /// without making it. Where that isn't to be, `false`.
    pub(super) fn look_ahead(&mut self, inst: &Inst) -> bool {
        let (to, text, number) = (inst.a(), inst.b(), inst.c());
        let text_stays = match self.kinds[text] {
            Kind::Scalar => true,
            Kind::Any => to != text && inst.word.flags() & flag::FIRST_DIES == 0,
            _ => false,
        };
        let Some(global) = self.looked_up_next(to) else {
            return false;
        };
        if !text_stays || self.kinds[number] != Kind::Int || self.kinds[to] == Kind::Any {
            return false;
        }
        self.commit();
        self.note_helped();
        let (slow, done) = (self.cold_block(), self.b.create_block());
        let context = self.b.ins().get_pinned_reg(types::I64);
        let (place, n) = (self.address(text), self.value(number));
        let global = self.int(i64::from(global));
        let arguments = [context, place, n, global];
        let entry = self.ask_helper(Helper::JoinedEntry, &arguments);
        self.b.ins().brif(entry, done, &[], slow, &[]);
        self.b.switch_to_block(slow);
        self.rarely(inst, done);
        self.b.switch_to_block(done);
        self.joined_entry = Some(entry);
        true
    }

    /// The global in whose hash the next instruction looks for a register, if it does and nothing else reads
    /// the register's value.
    fn looked_up_next(&self, key: usize) -> Option<u16> {
        let block = &self.function.graph.blocks[self.block?];
        let next = &self.function.body.insts[self.at + 1..block.end];
        let next = next.first()?;
        let looks = matches!(next.op, Rop::HashGetCopy | Rop::HashGetBorrow) && next.c() == key;
        let dies = next.a() == key || next.word.flags() & flag::SECOND_DIES != 0;
        (looks && dies).then(|| next.word.b())
    }

    /// Whether the instruction before made what is in the register: no table has it, so there is no use in asking
    /// where.
    fn was_joined(&self, key: usize) -> bool {
        let Some(block) = self.block else {
            return false;
        };
        let start = self.function.graph.blocks[block].start;
        let before = self.function.body.insts[start..self.at].last();
        before.is_some_and(|before| before.op == Rop::Concat && before.a() == key)
    }

    /// `entry b = c` of a global's hash.
    pub(super) fn hash_set(&mut self, inst: &Inst) {
        let (key, value) = (inst.b(), inst.c());
        if !self.kinds[key].is_boxed() || self.was_joined(key) {
            return self.step(inst);
        }
        let dies = inst.word.flags() & flag::FIRST_DIES != 0;
        let (slow, done) = (self.cold_block(), self.b.create_block());
        self.commit();
        self.need_no_pointer(value, slow);
        let key_buffer = self.string_or(key, dies, slow);
        let table = self.global_buffer(inst.word.a(), tag::HASH, slow);
        self.unshared_or(table, self.cx.layout.hash.count, slow);
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
