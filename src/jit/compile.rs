//! Compiles a group: from what inference found to code that can run.

use super::abi::{Helper, Layout, NOT_ENTERED};
use super::features;
use super::ir::inst::Site;
use super::ir::{Body, Graph, Program};
use super::kinds::group::{Budget, Entry, Group};
use super::kinds::{Kind, Kinds};
use super::memory::Executable;
use super::module::{Code, Collector};
use super::translate::{self, Context};
use crate::lower::code::REGISTER_BYTES;
use crate::value::tag;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{AbiParam, InstBuilder, MemFlagsData, Signature, types};
use cranelift_codegen::isa::{CallConv, OwnedTargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use cranelift_module::{FuncId, Module};
use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

/// Registers times blocks of a group: what inference remembers.
const MAX_CELLS: usize = 1 << 21;

/// A compiler for the machine that this runs on, and memory that it uses again.
pub(crate) struct Compiler {
    isa: OwnedTargetIsa,
    layout: Layout,
    context: cranelift_codegen::Context,
    builder: FunctionBuilderContext,
    /// Whether code is made quickly rather than well.
    is_quick: bool,
    /// Whether code tells which instruction it belongs to.
    marks: bool,
    /// Whether code counts the instructions that it does.
    pub(crate) counts: bool,
}

/// Why a group wasn't compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Declined {
    /// It has more code, or more registers in more blocks, than is compiled together.
    TooLarge,
    /// There is no compiler for this machine, or its code can't be used.
    Unfit,
}

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Declined::TooLarge => "too large to be compiled together",
            Declined::Unfit => "no code for this machine",
        })
    }
}

/// A compiled function of a group, for people.
pub(crate) struct Listed {
    pub(crate) code: Vec<u8>,
    /// The region whose function it is; `None` for the one through which the engine calls.
    pub(crate) region: Option<usize>,
    /// Offsets in the code, ascending, and where the instruction stands whose code begins there.
    pub(crate) marks: Vec<(usize, Option<Site>)>,
}

/// A compiled group that can be entered.
pub(crate) struct Compiled {
    pub(crate) code: Executable,
    /// Where the function that the engine enters begins: base, fuel and depth to fuel.
    pub(crate) entry: usize,
    /// Where else than at its first place a frame can be entered: that and the others, as positions
    /// in its region's code, in the order of their numbers.
    pub(crate) entries: Vec<u32>,
    /// Bytes of native stack that the largest frame takes.
    pub(crate) frame_bytes: usize,
    /// Bytes of a window's registers that the largest frame takes.
    pub(crate) window_bytes: usize,
    /// Whether it calls anything, so that room for more frames is of use.
    pub(crate) calls: bool,
    /// Calls that it has room for at least when it is entered: inlined ones.
    pub(crate) inlined: usize,
    pub(crate) instructions: u64,
    pub(crate) inline: u64,
    /// Of code that was made quickly, the fuel that it may spend yet.
    pub(crate) trial: Option<Trial>,
}

impl Compiled {
    /// Whether it was made quickly, and has run for so long that making it well is worth it.
    pub(crate) fn is_tried(&self) -> bool {
        self.trial.as_ref().is_some_and(Trial::is_over)
    }
}

/// How long code that was made quickly is worth keeping: until it has lost about as much time as making better
/// code takes.
pub(crate) struct Trial(AtomicI64);

/// Fuel of a trial for each instruction.
const TRIAL_FUEL: i64 = 1 << 14;

impl Trial {
    fn new(instructions: u64) -> Trial {
        Trial(AtomicI64::new(
            TRIAL_FUEL.saturating_mul(instructions as i64),
        ))
    }

    /// The code has spent so much fuel.
    pub(crate) fn spend(&self, fuel: u64) {
        self.0.fetch_sub(fuel as i64, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.0.load(Ordering::Relaxed) < 0
    }
}

/// Code in which the host calls an entry: context, base, fuel, depth and the entry's address. Its
/// `entries` are where the functions begin that call helpers and keep all registers as they are, in
/// the order of the helpers' numbers.
pub(crate) struct Trampoline(pub(crate) Compiled);

/// A compiler's flags: those that the spike's measurements chose. Allocating registers in a single pass halves the
/// time that all takes together, and doubles the code.
fn flags(verifies: bool, is_quick: bool) -> Option<settings::Flags> {
    let mut flags = settings::builder();
    let allocator = if is_quick {
        "single_pass"
    } else {
        "backtracking"
    };
    flags.set("regalloc_algorithm", allocator).ok()?;
    for (name, value) in [
        ("opt_level", "none"),
        ("enable_pinned_reg", "true"),
        ("enable_verifier", if verifies { "true" } else { "false" }),
        ("is_pic", "false"),
        ("use_colocated_libcalls", "false"),
        ("unwind_info", "false"),
        ("enable_probestack", "false"),
    ] {
        flags.set(name, value).ok()?;
    }
    Some(settings::Flags::new(flags))
}

/// What this machine can do, as the compiler is told: code on disk is bound to the same list.
fn this_machine(is_quick: bool) -> Option<OwnedTargetIsa> {
    let mut isa = cranelift_native::builder_with_options(false).ok()?;
    for (flag, usable) in features::usable() {
        isa.set(flag, if *usable { "true" } else { "false" }).ok()?;
    }
    isa.finish(flags(cfg!(test), is_quick)?).ok()
}

impl Compiler {
    /// A compiler for this machine; `None` where Cranelift has none.
    pub(crate) fn new(layout: Layout) -> Option<Compiler> {
        Some(Compiler::with_isa(layout, Compiler::isa(false)?))
    }

    /// This machine, for code that is made quickly or well.
    fn isa(is_quick: bool) -> Option<OwnedTargetIsa> {
        // Making it takes longer than compiling something small does.
        static ISAS: [OnceLock<Option<OwnedTargetIsa>>; 2] = [OnceLock::new(), OnceLock::new()];
        let isa = &ISAS[usize::from(is_quick)];
        isa.get_or_init(|| this_machine(is_quick)).clone()
    }

    /// From now on, code is made quickly or well; `None` if it can't be.
    pub(crate) fn set_quick(&mut self, is_quick: bool) -> Option<()> {
        if self.is_quick != is_quick {
            self.isa = Compiler::isa(is_quick)?;
            self.is_quick = is_quick;
        }
        Some(())
    }

    fn with_isa(layout: Layout, isa: OwnedTargetIsa) -> Compiler {
        Compiler {
            isa,
            layout,
            context: cranelift_codegen::Context::new(),
            builder: FunctionBuilderContext::new(),
            is_quick: false,
            marks: false,
            counts: false,
        }
    }

    /// The code through which entries are called, and helpers that are rarely called.
    pub(crate) fn trampoline(&mut self) -> Option<Trampoline> {
        self.set_quick(false)?;
        let mut module = Collector::new(self.isa.clone());
        self.emit_trampoline(&mut module)?;
        for helper in Helper::ALL {
            self.emit_rare_helper(&mut module, helper)?;
        }
        let code = module.finish()?;
        let entries = code.offsets[1..].iter().map(|at| u32::try_from(*at).ok());
        Some(Trampoline(Compiled {
            code: Executable::new(&code.bytes)?,
            entry: 0,
            entries: entries.collect::<Option<_>>()?,
            frame_bytes: code.frame_bytes,
            window_bytes: 0,
            calls: false,
            inlined: 0,
            instructions: 0,
            inline: 0,
            trial: None,
        }))
    }

    fn emit_trampoline(&mut self, module: &mut Collector) -> Option<()> {
        let mut signature = Signature::new(self.isa.default_call_conv());
        signature.params = vec![AbiParam::new(types::I64); 5];
        signature.returns = vec![AbiParam::new(types::I64)];
        let id = module.declare_anonymous_function(&signature).ok()?;
        self.context.clear();
        self.context.func.signature = signature;
        let mut b = FunctionBuilder::new(&mut self.context.func, &mut self.builder);
        let block = b.create_block();
        b.append_block_params_for_function_params(block);
        b.switch_to_block(block);
        let [context, base, fuel, depth, target] = *b.block_params(block) else {
            return None;
        };
        let kept = b.ins().get_pinned_reg(types::I64);
        b.ins().set_pinned_reg(context);
        let inner = b.import_signature(translate::frame_signature());
        let call = b.ins().call_indirect(inner, target, &[base, fuel, depth]);
        let left = b.inst_results(call)[0];
        b.ins().set_pinned_reg(kept);
        b.ins().return_(&[left]);
        b.seal_all_blocks();
        b.finalize(self.isa.frontend_config());
        module.define_function(id, &mut self.context).ok()
    }

    /// A function that calls a helper and keeps all registers as they are. What the helper gives goes
    /// to the activation.
    fn emit_rare_helper(&mut self, module: &mut Collector, helper: Helper) -> Option<()> {
        let (gets, gives) = helper.shape();
        let param = |float: &bool| AbiParam::new(if *float { types::F64 } else { types::I64 });
        let mut signature = Signature::new(CallConv::PreserveAll);
        signature.params = gets.iter().map(param).collect();
        let mut inner = Signature::new(self.isa.default_call_conv());
        inner.params.clone_from(&signature.params);
        inner.returns = gives.iter().map(param).collect();
        let id = module.declare_anonymous_function(&signature).ok()?;
        self.context.clear();
        self.context.func.signature = signature;
        let mut b = FunctionBuilder::new(&mut self.context.func, &mut self.builder);
        let block = b.create_block();
        b.append_block_params_for_function_params(block);
        b.switch_to_block(block);
        let arguments = b.block_params(block).to_vec();
        let flags = MemFlagsData::trusted();
        let context = b.ins().get_pinned_reg(types::I64);
        let table = b
            .ins()
            .load(types::I64, flags, context, self.layout.helpers);
        let function = b.ins().load(types::I64, flags, table, helper as i32 * 8);
        let inner = b.import_signature(inner);
        let call = b.ins().call_indirect(inner, function, &arguments);
        if let Some(result) = b.inst_results(call).first().copied() {
            b.ins().store(flags, result, context, self.layout.answer);
        }
        b.ins().return_(&[]);
        b.seal_all_blocks();
        b.finalize(self.isa.frontend_config());
        module.define_function(id, &mut self.context).ok()
    }

    /// Compiles the group of a region.
    ///
    /// # Errors
    /// Why it isn't.
    pub(crate) fn compile(
        &mut self,
        program: &dyn Program,
        region: usize,
        entry: Entry,
        max_words: usize,
    ) -> Result<Compiled, Declined> {
        let group = infer(program, region, entry, max_words)?;
        self.finish(program, &group).ok_or(Declined::Unfit)
    }

    fn finish(&mut self, program: &dyn Program, group: &Group) -> Option<Compiled> {
        let (code, share) = self.emit(program, group)?;
        let registers = group.functions.iter().map(|f| f.body.registers).max()?;
        let inlined = group.functions.iter().map(|f| f.body.depth()).max()?;
        let entry = match &group.functions[0].entry {
            Entry::Call(_) => *code.offsets.last()?,
            Entry::Frame(..) => *code.offsets.first()?,
        };
        Some(Compiled {
            entry,
            entries: group.functions[0].entry_positions(),
            frame_bytes: code.frame_bytes,
            window_bytes: registers * REGISTER_BYTES,
            calls: !group.called.is_empty() || inlined > 0,
            inlined,
            instructions: share.instructions,
            inline: share.inline,
            trial: self.is_quick.then(|| Trial::new(share.instructions)),
            code: Executable::new(&code.bytes)?,
        })
    }

    /// Compiles the group of a region to be looked at.
    ///
    /// # Errors
    /// Why it isn't compiled.
    pub(crate) fn list(
        &mut self,
        program: &dyn Program,
        region: usize,
        entry: Entry,
        max_words: usize,
    ) -> Result<Vec<Listed>, Declined> {
        let group = infer(program, region, entry, max_words)?;
        self.marks = true;
        let code = self.emit(program, &group);
        self.marks = false;
        let (code, _) = code.ok_or(Declined::Unfit)?;
        let ends = code.offsets.iter().skip(1).copied();
        let ends = ends.chain([code.bytes.len()]);
        let places = code.offsets.iter().zip(ends).zip(&code.marks).enumerate();
        let listed = places.map(|(index, ((start, end), marks))| {
            let function = group.functions.get(index);
            let site = |instruction: usize| Some(function?.body.insts.get(instruction)?.site);
            let marks = marks.iter();
            Listed {
                code: code.bytes[*start..end].to_vec(),
                region: function.map(|function| function.body.frames[0].region),
                marks: marks
                    .map(|mark| (mark.offset, mark.instruction.and_then(site)))
                    .collect(),
            }
        });
        Ok(listed.collect())
    }

    /// The kinds of registers with which a frame can be entered at a position: those that are live
    /// as `observe` finds them.
    pub(crate) fn frame_kinds(
        program: &dyn Program,
        region: usize,
        position: usize,
        max_words: usize,
        observe: impl Fn(usize) -> Kind,
    ) -> Option<Kinds> {
        let code = program.code(region)?;
        let body = Body::of_frame(program, region, position, max_words)?;
        let graph = Graph::new(&body, &|region| program.argc(region));
        let mut kinds = vec![Kind::Scalar; code.registers as usize];
        for (register, kind) in kinds.iter_mut().enumerate() {
            let is_live = graph.blocks[graph.entry].live.contains(register);
            *kind = match observe(register) {
                kind if is_live => kind,
                Kind::Any if graph.holds(&body, graph.entry, register) => Kind::Any,
                _ => Kind::Scalar,
            };
        }
        Some(kinds)
    }

    /// Translates and compiles the functions of a group. Behind them comes the one through which the
    /// engine calls the first, if that is called.
    fn emit(&mut self, program: &dyn Program, group: &Group) -> Option<(Code, translate::Share)> {
        let mut module = Collector::new(self.isa.clone());
        let mut ids = Vec::new();
        for function in &group.functions {
            let signature = translate::signature(function);
            ids.push(module.declare_anonymous_function(&signature).ok()?);
        }
        let layout = self.layout;
        let cx = Context {
            program,
            group,
            layout: &layout,
            helper_conv: self.isa.default_call_conv(),
            marks: self.marks,
            counts: self.counts,
        };
        let mut all = translate::Share::default();
        for (index, id) in ids.iter().enumerate() {
            self.context.clear();
            self.context.func.signature = translate::signature(&group.functions[index]);
            let share = self.translate(&cx, index, &ids);
            all.instructions += share.instructions;
            all.inline += share.inline;
            module.define_function(*id, &mut self.context).ok()?;
        }
        match &group.functions[0].entry {
            Entry::Call(parameters) => self.emit_thunk(&mut module, group, parameters, ids[0])?,
            Entry::Frame(..) => {}
        }
        Some((module.finish()?, all))
    }

    fn translate(&mut self, cx: &Context<'_>, index: usize, ids: &[FuncId]) -> translate::Share {
        let called = &cx.group.called;
        let functions = &cx.group.functions;
        let import = |region: usize, func: &mut cranelift_codegen::ir::Function| {
            let index = *called.get(&region)?;
            let signature = func.import_signature(translate::signature(&functions[index]));
            let name = cranelift_codegen::ir::UserExternalName {
                namespace: 0,
                index: ids[index].as_u32(),
            };
            let name = func.declare_imported_user_function(name);
            let callee = cranelift_codegen::ir::ExtFuncData {
                name: cranelift_codegen::ir::ExternalName::user(name),
                signature,
                colocated: true,
                patchable: false,
            };
            Some(func.import_function(callee))
        };
        let config = self.isa.frontend_config();
        translate::translate(
            cx,
            index,
            &mut self.context.func,
            &mut self.builder,
            &import,
            config,
        )
    }

    /// A function that the engine enters with arguments in their registers' memory: it guards and
    /// unboxes them, calls, and boxes the result.
    fn emit_thunk(
        &mut self,
        module: &mut Collector,
        group: &Group,
        parameters: &[Kind],
        callee: FuncId,
    ) -> Option<()> {
        let signature = translate::frame_signature();
        let id = module.declare_anonymous_function(&signature).ok()?;
        self.context.clear();
        self.context.func.signature = signature;
        let callee = module.declare_func_in_func(callee, &mut self.context.func);
        self.context.func.dfg.ext_funcs[callee].colocated = true;
        let result = group.functions[0].result;
        let mut b = FunctionBuilder::new(&mut self.context.func, &mut self.builder);
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        let [base, fuel, depth] = *b.block_params(entry) else {
            return None;
        };
        let refuse = b.create_block();
        b.set_cold_block(refuse);
        // The call has been paid for and counted.
        let fuel = b.ins().iadd_imm_s(fuel, 1);
        let depth = b.ins().iadd_imm_s(depth, 1);
        let mut arguments = vec![base, fuel, depth];
        let memory = MemFlagsData::trusted();
        for (register, kind) in parameters.iter().enumerate() {
            let at = register as i32 * 16;
            let (expected, ty, payload) = match kind {
                Kind::Int => (tag::INT, types::I64, at + 8),
                Kind::Float => (tag::FLOAT, types::F64, at + 8),
                Kind::Bool => (tag::BOOL, types::I8, at + 1),
                _ => continue,
            };
            let found = b.ins().uload8(types::I64, memory, base, at);
            let fits = b.ins().icmp_imm_s(IntCC::Equal, found, i64::from(expected));
            let go_on = b.create_block();
            b.ins().brif(fits, go_on, &[], refuse, &[]);
            b.switch_to_block(go_on);
            let value = b.ins().load(ty, memory, base, payload);
            arguments.push(match kind {
                Kind::Bool => b.ins().uextend(types::I64, value),
                _ => value,
            });
        }
        let call = b.ins().call(callee, &arguments);
        let left = match *b.inst_results(call) {
            [value, left] => {
                // Where the call was left there is nothing to box, and the place is the callee's.
                let (returned, out) = (b.create_block(), b.create_block());
                let is_out = b.ins().icmp_imm_s(IntCC::SignedLessThan, left, 0);
                b.ins().brif(is_out, out, &[], returned, &[]);
                b.switch_to_block(returned);
                let (low, high) = match result {
                    Kind::Int => (b.ins().iconst(types::I64, i64::from(tag::INT)), Some(value)),
                    Kind::Float => {
                        let low = b.ins().iconst(types::I64, i64::from(tag::FLOAT));
                        (low, Some(value))
                    }
                    _ => {
                        let shifted = b.ins().ishl_imm_u(value, 8);
                        (b.ins().bor_imm_u(shifted, i64::from(tag::BOOL)), None)
                    }
                };
                b.ins().store(memory, low, base, 0);
                if let Some(high) = high {
                    b.ins().store(memory, high, base, 8);
                }
                b.ins().jump(out, &[]);
                b.switch_to_block(out);
                left
            }
            [left] => left,
            _ => return None,
        };
        b.ins().return_(&[left]);
        b.switch_to_block(refuse);
        let refused = b.ins().iconst(types::I64, NOT_ENTERED);
        b.ins().return_(&[refused]);
        b.seal_all_blocks();
        b.finalize(self.isa.frontend_config());
        module.define_function(id, &mut self.context).ok()
    }
}

/// The functions that are compiled with a region.
fn infer(
    program: &dyn Program,
    region: usize,
    entry: Entry,
    max_words: usize,
) -> Result<Group, Declined> {
    let budget = Budget {
        words: max_words,
        cells: MAX_CELLS,
    };
    Group::infer(program, region, entry, budget).ok_or(Declined::TooLarge)
}

#[cfg(test)]
mod tests;
