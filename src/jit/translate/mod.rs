//! Writes a function of a group down for Cranelift.
//!
//! One pass over the blocks, with the kinds that inference found at the beginning of each. An
//! unboxed register is a variable of the builder, which finds out where values meet; a boxed one is
//! its memory in the frame's window. What a block wants done on the way to it (registers stored,
//! views opened) is written on the edge that leads there.
//!
//! * [`registers`] reads, writes, guards and stores registers; [`exits`] leaves native code.
//! * [`edges`] leads from block to block; [`clips`] has counted loops pay for many rounds at once;
//!   [`invariants`] makes what stays the same in a loop before it.
//! * [`elements`] has the views of arrays.
//! * [`numbers`], [`branches`], [`calls`], [`collections`], [`moves`] are families of instructions.

mod branches;
mod calls;
mod clips;
mod collections;
mod edges;
mod elements;
mod exits;
mod functions;
mod hashes;
mod invariants;
mod moves;
mod numbers;
mod registers;
mod strings;

use super::abi::{Helper, Layout};
use super::ir::inst::{Flow, Inst, Role, effects, is_return};
use super::ir::{Program, RegisterSet};
use super::kinds::group::{Entry, Function, Group};
use super::kinds::transfer::{Step, transfer};
use super::kinds::{Kind, Kinds, Seen};
use super::stale;
use super::views::Views;
use crate::lower::code::Rop;
use clips::Clip;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    self, AbiParam, InstBuilder, MemFlagsData, Signature, Type, Value, types,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use edges::Door;
use elements::Elements;
use exits::{Checkpoint, Exit};
use invariants::Invariant;
use std::collections::HashSet;

/// What all functions of a group are translated with.
pub(super) struct Context<'a> {
    pub(super) program: &'a dyn Program,
    pub(super) group: &'a Group,
    pub(super) layout: &'a Layout,
    /// The calling convention of helpers.
    pub(super) helper_conv: CallConv,
    /// Whether code is to tell which instruction it belongs to.
    pub(super) marks: bool,
    /// Whether code counts the instructions that it does.
    pub(super) counts: bool,
}

/// How much of a function was compiled how.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Share {
    pub(super) instructions: u64,
    /// Those that neither a helper nor the engine does when all is as expected.
    pub(super) inline: u64,
}

/// The machine type of an unboxed kind.
pub(super) fn type_of(kind: Kind) -> Type {
    match kind {
        Kind::Float => types::F64,
        _ => types::I64,
    }
}

/// The signature of a function of the group.
pub(super) fn signature(function: &Function) -> Signature {
    let mut signature = frame_signature();
    if let Entry::Call(parameters) = &function.entry {
        let unboxed = parameters.iter().filter(|kind| kind.is_unboxed_value());
        let types = unboxed.map(|kind| AbiParam::new(type_of(*kind)));
        signature.params.extend(types);
        if function.result.is_unboxed_value() {
            let result = AbiParam::new(type_of(function.result));
            signature.returns.insert(0, result);
        }
    }
    signature
}

/// The signature that the engine calls: base, fuel and depth, giving fuel.
pub(super) fn frame_signature() -> Signature {
    let mut signature = Signature::new(CallConv::Tail);
    signature.params = vec![AbiParam::new(types::I64); 3];
    signature.returns = vec![AbiParam::new(types::I64)];
    signature
}

/// Writes one function.
struct Translator<'a, 'b> {
    cx: &'a Context<'a>,
    function: &'a Function,
    b: FunctionBuilder<'b>,
    /// The function that calls of a region go to.
    callees: &'a dyn Fn(usize, &mut ir::Function) -> Option<ir::FuncRef>,
    known_callees: Vec<(usize, ir::FuncRef)>,
    helper_signatures: [Option<ir::SigRef>; Helper::COUNT],
    rare_signatures: [Option<ir::SigRef>; Helper::COUNT],
    blocks: Vec<ir::Block>,
    doors: Vec<Door>,
    /// The block of the graph that is being written, if it is one.
    block: Option<usize>,
    /// The index of the present instruction.
    at: usize,
    ints: Vec<Option<Variable>>,
    floats: Vec<Option<Variable>>,
    /// The kinds at hand: those before the present instruction, until it changes them.
    kinds: Kinds,
    kinds_before: Kinds,
    /// Unboxed registers whose memory holds the same.
    synced: Vec<bool>,
    /// Halves of boxed registers that are known from having just been written.
    halves: Vec<Option<(Value, Value)>>,
    /// Registers that were set to a constant Float in the present block.
    constants: Vec<Option<f64>>,
    /// Floats whose sign bit isn't set, or that are no numbers.
    positive: HashSet<Value>,
    /// Where the value is that the present instruction is to look up in a hash, if the one before has looked
    /// already; 0 where it couldn't.
    joined_entry: Option<Value>,
    /// What is live before and behind the present instruction.
    live: RegisterSet,
    live_behind: RegisterSet,
    seen: Seen,
    /// Where a failed guard goes back to.
    checkpoint: Option<Checkpoint>,
    elements: Elements,
    /// The loops that are clipped.
    clips: Vec<Clip>,
    /// What the round of the clipped loop at hand has cost so far.
    paid: i64,
    invariants: Vec<Invariant>,
    base: Value,
    depth: Value,
    fuel: Variable,
    /// By block, the registers whose memory is stale where it begins.
    stale: Vec<RegisterSet>,
    /// The ways out, by what they store.
    exits: Vec<Exit>,
    share: Share,
}

/// Translates function `index` of the group into `func`, whose signature is set. `callees` imports
/// the function that calls of a region go to.
pub(super) fn translate(
    cx: &Context<'_>,
    index: usize,
    func: &mut ir::Function,
    builder: &mut FunctionBuilderContext,
    callees: &dyn Fn(usize, &mut ir::Function) -> Option<ir::FuncRef>,
    config: cranelift_codegen::isa::TargetFrontendConfig,
) -> Share {
    let function = &cx.group.functions[index];
    let registers = function.body.registers;
    let views = Views::of(cx.program, cx.group, function);
    let mut b = FunctionBuilder::new(func, builder);
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    b.seal_block(entry);
    let parameters = b.block_params(entry).to_vec();
    let fuel = b.declare_var(types::I64);
    let blocks = function.graph.blocks.iter().map(|_| b.create_block());
    let blocks = blocks.collect();
    let mut translator = Translator {
        cx,
        function,
        callees,
        known_callees: Vec::new(),
        helper_signatures: [None; Helper::COUNT],
        rare_signatures: [None; Helper::COUNT],
        blocks,
        doors: Vec::new(),
        block: None,
        at: 0,
        ints: vec![None; registers],
        floats: vec![None; registers],
        kinds: vec![Kind::Scalar; registers],
        kinds_before: Kinds::new(),
        synced: vec![false; registers],
        halves: vec![None; registers],
        constants: vec![None; registers],
        positive: HashSet::new(),
        joined_entry: None,
        live: RegisterSet::new(registers),
        live_behind: RegisterSet::new(registers),
        seen: Seen::default(),
        checkpoint: None,
        elements: Elements::new(views, &mut b),
        clips: Vec::new(),
        paid: 0,
        invariants: Vec::new(),
        base: parameters[0],
        depth: parameters[2],
        fuel,
        stale: stale::at_start(cx.program, cx.group, function),
        exits: Vec::new(),
        share: Share::default(),
        b,
    };
    let views = &translator.elements.views;
    translator.clips = clips::find(cx, function, views, &mut translator.b);
    translator.invariants = invariants::find(cx, function, views, &mut translator.b);
    translator.b.def_var(fuel, parameters[1]);
    translator.make_doors();
    translator.enter(&parameters);
    for block in 0..translator.blocks.len() {
        translator.block(block);
    }
    translator.b.set_srcloc(ir::SourceLoc::default());
    translator.write_doors();
    translator.write_exits();
    translator.b.seal_all_blocks();
    let share = translator.share;
    translator.b.finalize(config);
    share
}

impl Translator<'_, '_> {
    /// Begins the function: what it was entered with becomes registers.
    fn enter(&mut self, parameters: &[Value]) {
        let refuse = self.cold_block();
        match &self.function.entry {
            Entry::Call(kinds) => {
                self.pay_for_call(refuse);
                let unboxed = kinds.iter().enumerate();
                let unboxed = unboxed.filter(|(_, kind)| kind.is_unboxed_value());
                for ((register, kind), value) in unboxed.zip(&parameters[3..]) {
                    self.define(register, *kind, *value);
                }
                for (register, kind) in kinds.iter().enumerate() {
                    self.kinds[register] = *kind;
                }
            }
            Entry::Frame(..) => {
                self.need_depth(refuse);
                self.enter_frame(refuse);
            }
        }
        let entry = self.function.graph.entry;
        self.go_on(Some(entry));
        self.b.switch_to_block(refuse);
        self.refuse();
    }

    /// A frame is entered at its first place or at the heads of loops. What all of these want is done
    /// once, before it is looked which is meant.
    fn enter_frame(&mut self, refuse: ir::Block) {
        let entries = self.function.entries();
        let mut done = RegisterSet::new(self.kinds.len());
        for register in 0..self.kinds.len() {
            let kind = self.function.kinds_at_entry(0, entries[0])[register];
            let is_wanted = |(number, block): (usize, &usize)| {
                let kinds = self.function.kinds_at_entry(number, *block);
                kinds[register] == kind
                    && self.function.graph.blocks[*block].live.contains(register)
            };
            if entries.iter().enumerate().all(is_wanted) {
                self.unbox_or(register, kind, refuse);
                done.insert(register);
            }
        }
        self.open_for_any(&entries);
        let (levels, kinds) = (self.elements.at_hand(), self.kinds.clone());
        if entries.len() > 1 {
            let chosen = self.load_context(self.cx.layout.entry);
            for (number, block) in entries.iter().enumerate().skip(1) {
                let (here, other) = (self.cold_block(), self.b.create_block());
                let is_here = self.b.ins().icmp_imm_s(IntCC::Equal, chosen, number as i64);
                self.b.ins().brif(is_here, here, &[], other, &[]);
                self.b.switch_to_block(here);
                self.b.seal_block(here);
                self.unbox_rest(number, *block, &done, refuse);
                self.go_on(Some(*block));
                self.b.switch_to_block(other);
                self.b.seal_block(other);
                self.kinds.clone_from(&kinds);
                self.elements.set_at_hand(&levels);
            }
        }
        self.unbox_rest(0, entries[0], &done, refuse);
    }

    /// Unboxes the registers that an entry wants, as far as that isn't done.
    fn unbox_rest(&mut self, number: usize, block: usize, done: &RegisterSet, refuse: ir::Block) {
        let kinds = self.function.kinds_at_entry(number, block);
        let mut scalars = Vec::new();
        for (register, kind) in kinds.into_iter().enumerate() {
            if done.contains(register) {
                continue;
            }
            self.unbox_or(register, kind, refuse);
            if kind == Kind::Scalar && self.function.matters(block, register) {
                scalars.push(register);
            }
        }
        self.uncounted_or(&scalars, refuse);
    }

    /// Writes a block, if any path leads to it.
    fn block(&mut self, index: usize) {
        if !self.function.is_reached(index) {
            return;
        }
        let kinds = &self.function.kinds[index];
        self.block = Some(index);
        self.paid = self.paid_at(index);
        self.kinds.clone_from(kinds);
        for (register, synced) in self.synced.iter_mut().enumerate() {
            *synced = !self.stale[index].contains(register);
        }
        self.halves.fill(None);
        self.constants.fill(None);
        self.checkpoint = None;
        self.elements.begin(index);
        self.b.switch_to_block(self.blocks[index]);
        let graph = &self.function.graph;
        let argc = |region| self.cx.program.argc(region);
        let live = graph.live_within(&self.function.body, index, &argc);
        let (start, end) = (graph.blocks[index].start, graph.blocks[index].end);
        for at in start..end {
            self.live.clone_from(&live[at - start]);
            self.live_behind.clone_from(match live.get(at + 1 - start) {
                Some(behind) => behind,
                None => &graph.blocks[index].live_out,
            });
            if !self.instruction(at, at + 1 == end) {
                return;
            }
        }
    }

    /// Writes an instruction; for the last one of a block also how control goes on. `false` if it
    /// doesn't.
    fn instruction(&mut self, at: usize, ends: bool) -> bool {
        self.at = at;
        if self.cx.marks {
            self.b.set_srcloc(ir::SourceLoc::new(at as u32));
        }
        let inst = &self.function.body.insts[at];
        let (region, position) = (inst.site.region as usize, inst.site.at as usize);
        self.seen = self.cx.program.seen(region, position);
        self.begin_checkpoint(at);
        self.kinds_before.clone_from(&self.kinds);
        self.share.instructions += 1;
        self.share.inline += 1;
        self.count(self.cx.layout.executed);
        let goes_on = self.any(inst, ends);
        self.end_checkpoint();
        self.note_constant(inst);
        goes_on
    }

    /// Notes that it isn't done inline: here a helper or the engine does it.
    fn note_helped(&mut self) {
        self.share.inline -= 1;
        self.count(self.cx.layout.helped);
    }

    /// Counts one more in a word of the activation, if code counts at all.
    fn count(&mut self, counter: i32) {
        if self.cx.counts {
            let before = self.load_context(counter);
            let after = self.b.ins().iadd_imm_s(before, 1);
            self.store_context(after, counter);
        }
    }

    /// Remembers the constant that a register was set to, or forgets those that have changed.
    fn note_constant(&mut self, inst: &Inst) {
        if inst.op == Rop::LoadFloat {
            self.constants[inst.a()] = Some(f64::from_bits(inst.immediate));
            return;
        }
        let changed = match (inst.op, inst.role) {
            (Rop::Call, _) => inst.a()..self.constants.len(),
            (_, Role::Rejoin) => inst.shift()..self.constants.len(),
            _ => {
                let (first, count) = effects(inst).writes;
                first..first + count
            }
        };
        self.constants[changed].fill(None);
    }

    fn any(&mut self, inst: &Inst, ends: bool) -> bool {
        let is_branch = matches!(inst.flow(), Flow::Branch(_) | Flow::Jump(_));
        if is_branch && inst.role == Role::Plain {
            self.branch(inst);
            return false;
        }
        if is_return(inst.op) && inst.role == Role::Plain {
            self.end_call(inst);
            return false;
        }
        if inst.role == Role::Part {
            self.part(inst);
            return false;
        }
        let result = match (inst.op, inst.role) {
            (_, Role::Enter) => {
                self.enter_inlined(inst);
                Kind::Nothing
            }
            (_, Role::Rejoin) => {
                self.rejoin(inst);
                Kind::Nothing
            }
            (Rop::Call, Role::Plain) => match self.call(inst) {
                Some(result) => result,
                None => return false,
            },
            _ => {
                self.straight(inst);
                Kind::Nothing
            }
        };
        let passed = self.transfer(inst, result);
        if let (true, Some(block)) = (passed, self.block.filter(|_| ends)) {
            let block = &self.function.graph.blocks[block];
            self.go_on(block.taken.or(block.next));
        }
        passed
    }

    /// Applies the instruction to the kinds and levels that were before it, as the analyses did.
    fn transfer(&mut self, inst: &Inst, result: Kind) -> bool {
        self.elements.step(inst, &self.kinds_before, self.seen);
        self.kinds.clone_from(&self.kinds_before);
        let mut step = Step {
            kinds: &mut self.kinds,
            seen: self.seen,
        };
        transfer(inst, result, &mut step)
    }

    /// Writes an instruction that goes on to the next one.
    fn straight(&mut self, inst: &Inst) {
        match inst.op {
            Rop::Copy
            | Rop::Take
            | Rop::Borrow
            | Rop::Own
            | Rop::Exchange
            | Rop::Drop
            | Rop::Clear
            | Rop::LoadInt
            | Rop::LoadFloat
            | Rop::LoadWord
            | Rop::LoadConst
            | Rop::GlobalCopy
            | Rop::GlobalBorrow
            | Rop::GlobalSet => self.move_value(inst),
            Rop::Fuel => self.pay(inst),
            Rop::ElementCopy
            | Rop::ElementBorrow
            | Rop::SlotElementCopy
            | Rop::SlotElementBorrow
            | Rop::ElementSet
            | Rop::SlotElementSet
            | Rop::ElementSetI
            | Rop::ElementSetW
            | Rop::SlotElementSetI
            | Rop::ElementLen
            | Rop::SlotElementLen
            | Rop::ArrayPush
            | Rop::ArrayLen
            | Rop::HashGetCopy
            | Rop::HashGetBorrow
            | Rop::HashExists
            | Rop::HashSet
            | Rop::Concat
            | Rop::Worked
            | Rop::SlotLoop
            | Rop::Outline
            | Rop::StringLen => self.collection(inst),
            Rop::Leave | Rop::CallLinked | Rop::Relink | Rop::End => self.leave_here(inst),
            _ => self.compute(inst),
        }
    }

    /// The helper's function and signature.
    fn helper(&mut self, helper: Helper) -> (ir::SigRef, Value) {
        let signature = match self.helper_signatures[helper as usize] {
            Some(signature) => signature,
            None => {
                let (gets, gives) = helper.shape();
                let param =
                    |float: &bool| AbiParam::new(if *float { types::F64 } else { types::I64 });
                let mut signature = Signature::new(self.cx.helper_conv);
                signature.params = gets.iter().map(param).collect();
                signature.returns = gives.iter().map(param).collect();
                let signature = self.b.import_signature(signature);
                self.helper_signatures[helper as usize] = Some(signature);
                signature
            }
        };
        let table = self.load_context(self.cx.layout.helpers);
        let offset = helper as i32 * 8;
        let flags = MemFlagsData::trusted();
        let function = self.b.ins().load(types::I64, flags, table, offset);
        (signature, function)
    }

    /// Calls a helper by the way that keeps all registers as they are, for what is rare.
    fn call_rarely(&mut self, helper: Helper, arguments: &[Value]) {
        let (gets, _) = helper.shape();
        let param = |float: &bool| AbiParam::new(if *float { types::F64 } else { types::I64 });
        let mut signature = Signature::new(CallConv::PreserveAll);
        signature.params = gets.iter().map(param).collect();
        let signature = match self.rare_signatures[helper as usize] {
            Some(signature) => signature,
            None => self.b.import_signature(signature),
        };
        self.rare_signatures[helper as usize] = Some(signature);
        let table = self.load_context(self.cx.layout.rare_helpers);
        let flags = MemFlagsData::trusted();
        let offset = helper as i32 * 8;
        let function = self.b.ins().load(types::I64, flags, table, offset);
        self.b.ins().call_indirect(signature, function, arguments);
    }

    /// The same for its result.
    fn ask_rarely(&mut self, helper: Helper, arguments: &[Value]) -> Value {
        self.call_rarely(helper, arguments);
        let (_, gives) = helper.shape();
        let ty = if gives == [true] {
            types::F64
        } else {
            types::I64
        };
        let context = self.b.ins().get_pinned_reg(types::I64);
        let flags = MemFlagsData::trusted();
        self.b.ins().load(ty, flags, context, self.cx.layout.answer)
    }

    /// Calls a helper for its result.
    fn ask_helper(&mut self, helper: Helper, arguments: &[Value]) -> Value {
        let (signature, function) = self.helper(helper);
        let call = self.b.ins().call_indirect(signature, function, arguments);
        self.b.inst_results(call)[0]
    }

    /// A word of the activation.
    fn load_context(&mut self, offset: i32) -> Value {
        let context = self.b.ins().get_pinned_reg(types::I64);
        let flags = MemFlagsData::trusted();
        self.b.ins().load(types::I64, flags, context, offset)
    }

    /// Sets a word of the activation.
    fn store_context(&mut self, value: Value, offset: i32) {
        let context = self.b.ins().get_pinned_reg(types::I64);
        self.b
            .ins()
            .store(MemFlagsData::trusted(), value, context, offset);
    }

    fn int(&mut self, n: i64) -> Value {
        self.b.ins().iconst(types::I64, n)
    }

    /// A new block that is rarely reached.
    fn cold_block(&mut self) -> ir::Block {
        let block = self.b.create_block();
        self.b.set_cold_block(block);
        block
    }

    /// Goes on in a new block if the condition holds, else at `other`.
    fn need(&mut self, condition: Value, other: ir::Block) {
        let go_on = self.b.create_block();
        self.b.ins().brif(condition, go_on, &[], other, &[]);
        self.b.switch_to_block(go_on);
        self.b.seal_block(go_on);
    }

    /// Goes on in a new block unless the condition holds; then at `other`.
    fn need_not(&mut self, condition: Value, other: ir::Block) {
        let go_on = self.b.create_block();
        self.b.ins().brif(condition, other, &[], go_on, &[]);
        self.b.switch_to_block(go_on);
        self.b.seal_block(go_on);
    }
}
