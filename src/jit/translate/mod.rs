//! Writes a function of a group down for Cranelift.
//!
//! One pass over the blocks, with the kinds that inference found at the beginning of each. An
//! unboxed register is a variable of the builder, which finds out where values meet; a boxed one is
//! its memory in the frame's window. Where a branch leads to a block that wants a register boxed, it
//! is stored on the way.
//!
//! * [`registers`] reads, writes, guards and stores registers, and leaves native code.
//! * [`numbers`], [`branches`], [`calls`], [`collections`], [`moves`] are families of instructions.

mod branches;
mod calls;
mod collections;
mod moves;
mod numbers;
mod registers;

use super::abi::{Helper, Layout};
use super::kinds::graph::RegisterSet;
use super::kinds::group::{Entry, Function, Group, Program};
use super::kinds::inst::{Flow, Inst, is_return};
use super::kinds::transfer::{Step, guess_of, transfer};
use super::kinds::{Guess, Kind, Kinds};
use crate::lower::code::{Code, Rop};
use cranelift_codegen::ir::{
    self, AbiParam, InstBuilder, MemFlagsData, Signature, Type, Value, types,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};

/// What all functions of a group are translated with.
pub(super) struct Context<'a> {
    pub(super) program: &'a dyn Program,
    pub(super) group: &'a Group,
    pub(super) layout: &'a Layout,
    /// The calling convention of helpers.
    pub(super) helper_conv: CallConv,
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
    code: &'a Code,
    function: &'a Function,
    b: FunctionBuilder<'b>,
    /// The function that calls of a region go to.
    callees: &'a dyn Fn(usize, &mut ir::Function) -> Option<ir::FuncRef>,
    known_callees: Vec<(usize, ir::FuncRef)>,
    helper_signatures: [Option<ir::SigRef>; Helper::COUNT],
    blocks: Vec<ir::Block>,
    ints: Vec<Option<Variable>>,
    floats: Vec<Option<Variable>>,
    /// The kinds at hand: those before the present instruction, until it changes them.
    kinds: Kinds,
    kinds_before: Kinds,
    /// Unboxed registers whose memory holds the same.
    synced: Vec<bool>,
    /// Halves of boxed registers that are known from having just been written.
    halves: Vec<Option<(Value, Value)>>,
    /// What is live before and behind the present instruction.
    live: RegisterSet,
    live_behind: RegisterSet,
    guess: Guess,
    /// Where a failed guard of the present instruction leads, once there is one.
    guard_exit: Option<ir::Block>,
    base: Value,
    depth: Value,
    fuel: Variable,
    /// Leaves native code with a place and the fuel, as parameters.
    exit: Option<ir::Block>,
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
) -> Option<Share> {
    let function = &cx.group.functions[index];
    let code = cx.program.code(function.region)?;
    let registers = code.registers as usize;
    let mut b = FunctionBuilder::new(func, builder);
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    let parameters = b.block_params(entry).to_vec();
    let fuel = b.declare_var(types::I64);
    let blocks = function.graph.blocks.iter().map(|_| b.create_block());
    let blocks = blocks.collect();
    let mut translator = Translator {
        cx,
        code,
        function,
        callees,
        known_callees: Vec::new(),
        helper_signatures: [None; Helper::COUNT],
        blocks,
        ints: vec![None; registers],
        floats: vec![None; registers],
        kinds: function.kinds[function.graph.entry].clone(),
        kinds_before: Kinds::new(),
        synced: vec![false; registers],
        halves: vec![None; registers],
        live: RegisterSet::new(registers),
        live_behind: RegisterSet::new(registers),
        guess: Guess::Ints,
        guard_exit: None,
        base: parameters[0],
        depth: parameters[2],
        fuel,
        exit: None,
        share: Share::default(),
        b,
    };
    translator.b.def_var(fuel, parameters[1]);
    translator.enter(&parameters);
    for block in 0..translator.blocks.len() {
        translator.block(block);
    }
    translator.write_exit();
    translator.b.seal_all_blocks();
    let share = translator.share;
    translator.b.finalize(config);
    Some(share)
}

impl Translator<'_, '_> {
    /// Begins the function: what it was entered with becomes registers.
    fn enter(&mut self, parameters: &[Value]) {
        match &self.function.entry {
            Entry::Call(kinds) => {
                self.pay_for_call();
                let unboxed = kinds.iter().enumerate();
                let unboxed = unboxed.filter(|(_, kind)| kind.is_unboxed_value());
                for ((register, kind), value) in unboxed.zip(&parameters[3..]) {
                    self.define(register, *kind, *value);
                }
            }
            Entry::Frame(_, kinds) => {
                let refuse = self.b.create_block();
                self.b.set_cold_block(refuse);
                for (register, kind) in kinds.iter().enumerate() {
                    self.unbox_or(register, *kind, refuse);
                }
                let start = self.b.create_block();
                self.b.ins().jump(start, &[]);
                self.b.switch_to_block(refuse);
                self.refuse();
                self.b.switch_to_block(start);
            }
        }
        let entry = self.function.graph.entry;
        self.b.ins().jump(self.blocks[entry], &[]);
    }

    /// Writes a block, if any path leads to it.
    fn block(&mut self, index: usize) {
        let kinds = &self.function.kinds[index];
        if kinds.iter().all(|kind| *kind == Kind::Nothing) {
            return;
        }
        self.kinds = kinds.clone();
        self.synced.fill(false);
        self.halves.fill(None);
        self.b.switch_to_block(self.blocks[index]);
        let graph = &self.function.graph;
        let argc = |region| self.cx.program.argc(region);
        let live = graph.live_within(self.code, index, &argc);
        let end = live.len();
        for place in 0..end {
            let (at, before) = &live[place];
            self.live = before.clone();
            self.live_behind = match live.get(place + 1) {
                Some((_, behind)) => behind.clone(),
                None => graph.blocks[index].live_out.clone(),
            };
            let inst = Inst::at(self.code, *at);
            let last = place + 1 == end;
            if !self.instruction(&inst, last.then_some(index)) {
                return;
            }
        }
    }

    /// Writes an instruction; for the last one of a block also how control goes on. `false` if it
    /// doesn't.
    fn instruction(&mut self, inst: &Inst, ends: Option<usize>) -> bool {
        self.guess = guess_of(inst, self.cx.program.guess(self.function.region, inst.at));
        self.guard_exit = None;
        self.kinds_before.clone_from(&self.kinds);
        self.share.instructions += 1;
        self.share.inline += 1;
        let flow = inst.flow();
        if let (Flow::Branch(_) | Flow::Jump(_), Some(block)) = (flow, ends) {
            self.branch(inst, block);
            return true;
        }
        if is_return(inst.op) {
            self.end_call(inst);
            return false;
        }
        let result = match inst.op {
            Rop::Call => match self.call(inst) {
                Some(result) => result,
                None => return false,
            },
            _ => {
                self.straight(inst);
                Kind::Nothing
            }
        };
        let passed = self.transfer(inst, result);
        if let (true, Some(block)) = (passed, ends) {
            let next = self.function.graph.blocks[block].next;
            self.go_on(next);
        }
        passed
    }

    /// Applies the instruction to the kinds that were before it, as inference did.
    fn transfer(&mut self, inst: &Inst, result: Kind) -> bool {
        self.kinds.clone_from(&self.kinds_before);
        let mut step = Step {
            kinds: &mut self.kinds,
            guess: self.guess,
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
            | Rop::SlotElementSetI
            | Rop::ArrayPush
            | Rop::ArrayLen
            | Rop::HashGetCopy
            | Rop::HashGetBorrow
            | Rop::HashSet
            | Rop::Concat
            | Rop::Worked
            | Rop::SlotLoop
            | Rop::StringLen => self.collection(inst),
            Rop::Outline | Rop::Leave | Rop::CallLinked | Rop::Relink | Rop::End => {
                self.leave_here(inst);
            }
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

    /// Calls a helper that gives nothing.
    fn call_helper(&mut self, helper: Helper, arguments: &[Value]) {
        let (signature, function) = self.helper(helper);
        self.b.ins().call_indirect(signature, function, arguments);
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
}
