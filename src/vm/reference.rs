//! The reference interpreter: walks the stack ops of a chunk on the VM's public state.
//!
//! It is the semantic oracle of the other tiers, runs what is loose or cold, and trusts nothing:
//! neither the chunk, nor what handlers leave behind. So every access is checked, and what has no
//! operands follows the lenient rules of loose chunks. Nothing here recurses: calls are frames,
//! running blocks are [`Fence`]s.
//!
//! The op families live in the modules below; what ops mean on values is in
//! [`value`](crate::value).

mod blocks;
mod calls;
mod collections;
mod commands;
mod fused;
mod handlers;
mod heights;
mod io;
mod links;
mod params;
mod pausing;
mod processes;
mod shell;
mod stack;
mod tiers;
mod variables;

use super::limits::Outer;
use super::link::running;
use super::stats::Stats;
use super::trap::{Fault, Step};
use super::{Frame, SCOPE, VM};
use crate::code::Code;
use crate::engine::Registry;
use crate::op::Op;
use crate::value::{Array, Value, compare, number, string};
use blocks::BlockRun;
use heights::Heights;
use pausing::Pausing;
pub(super) use pausing::Standstill;
use processes::Spawning;
use std::cell::Cell;
use std::sync::Arc;
pub(super) use tiers::Innermost;

/// How many machines may be active on a thread, one inside of a handler of the other: each takes
/// some of the native stack.
const MAX_NESTED_RUNS: u32 = 64;

thread_local! {
    static NESTED_RUNS: Cell<u32> = const { Cell::new(0) };
}

/// One run of a VM. What it needs beyond the VM's public state dies with it, also when a handler
/// panics.
pub(super) struct Machine<'a> {
    vm: &'a mut VM,
    /// Frames below this are the embedder's: a return never pops them.
    floor: usize,
    /// Calls between chunks below this are those of an outer run.
    link_floor: usize,
    /// The engine's handlers, once one of them has run.
    registry: Option<Arc<Registry>>,
    /// Where control can't just go on, innermost last. Empty in a program without blocks.
    fences: Vec<Fence>,
    /// The ops that jumps may go to; those of the innermost block, if it is a block that runs.
    region: Region,
    outer: Outer,
    /// Room for what an op prints.
    text: Vec<u8>,
    /// Calls and backward jumps until the run is warm; 0 once the engine is to be tried.
    heat: u32,
    /// What visits to the engine have cost beyond what they gained.
    debt: u32,
    /// Whether the engine has compared the chunk with its own in this run.
    compared: bool,
    /// Whether the engine has gone on behind handlers without comparing again.
    trusts_handlers: bool,
    /// Lists of slots of calls that have ended, for the next ones.
    spare_slots: Vec<Vec<Value>>,
    /// An array of one element, whose word a command has taken, for the next text that is one word.
    spare_word: Option<Array>,
    pausing: Pausing,
    /// Whether a hook was called for the op at hand.
    is_seen: bool,
    /// What the heights of the stack must be; `None` in release builds.
    heights: Option<Box<Heights>>,
    /// Whether this process is a copy, made for the code that runs.
    is_copy: bool,
    /// The pipeline whose stages this process runs.
    spawning: Option<Spawning>,
}

/// Ops from `start` up to, not including, `end`, which jumps may go to as well.
#[derive(Clone, Copy)]
struct Region {
    start: usize,
    end: usize,
}

impl Region {
    /// All of the chunk, whatever its length: running past the last op ends the program.
    const WHOLE: Region = Region {
        start: 0,
        end: usize::MAX,
    };
}

/// Something that began with `frames` frames on the list, and ends in a way of its own.
struct Fence {
    frames: usize,
    kind: FenceKind,
}

enum FenceKind {
    /// A block that runs for an element or a pair of them.
    Block(BlockRun),
    /// A call out of a block: within it, all of the chunk is in reach.
    Call,
    /// A sub that was run as a command: its end gives a status. Redirections from `outer` up were those of
    /// the command before.
    Command { outer: usize },
    /// Code that runs by itself, as all that a copy of the process runs: its end is the end of the run. It
    /// is within this call, if that is known.
    Alone {
        region: Region,
        within: Option<Innermost>,
    },
    /// Code within redirections, those from `outer` up, which is in the same reach as the code around it.
    Mark { outer: usize, region: Region },
}

impl<'a> Machine<'a> {
    /// Begins a run.
    pub(super) fn enter(vm: &'a mut VM) -> Step<Machine<'a>> {
        let nested = NESTED_RUNS.get();
        if nested >= MAX_NESTED_RUNS {
            let message = format!("handlers run VMs inside of each other, {nested} deep");
            return Err(Fault::new(Code::TooDeep, message));
        }
        NESTED_RUNS.set(nested + 1);
        Ok(Machine {
            floor: vm.frames.len(),
            link_floor: vm.link.returns.len(),
            registry: None,
            fences: Vec::new(),
            region: Region::WHOLE,
            outer: vm.meter.begin_run(),
            text: Vec::new(),
            heat: tiers::first_heat(vm),
            debt: 0,
            compared: false,
            trusts_handlers: false,
            spare_slots: Vec::new(),
            spare_word: None,
            pausing: Pausing::No,
            is_seen: false,
            heights: if cfg!(debug_assertions) {
                Heights::of(vm)
            } else {
                None
            },
            is_copy: false,
            spawning: None,
            vm,
        })
    }

    /// Runs ops from the VM's `ip` to the end of the program.
    ///
    /// This match is the one place that names every op: hot ones are done here, others in their
    /// family's module.
    pub(super) fn run(&mut self) -> Step {
        if self.heat == 1 {
            self.warm_up();
        }
        let ended = match self.vm.stats.is_some() {
            true => self.interpret::<false, true>(),
            false => self.interpret::<false, false>(),
        };
        let ended = ended.and_then(|_| self.check_code());
        let is_outermost = !self.vm.meter.is_nested();
        self.finish(ended, is_outermost)
    }

    /// Runs ops from the VM's `ip`: to the end of the program, or one of them; and counts them, or
    /// doesn't. `false` if the program ended.
    fn interpret<const ONE: bool, const COUNT: bool>(&mut self) -> Step<bool> {
        let mut ip = self.vm.ip;
        // Ends the run at the op at hand if it faults.
        macro_rules! check {
            ($at:ident, $step:expr) => {
                match $step {
                    Ok(done) => done,
                    Err(fault) => {
                        self.vm.ip = $at;
                        return Err(fault);
                    }
                }
            };
        }
        loop {
            let at = ip;
            if cfg!(debug_assertions) && !ONE && self.heights.is_some() {
                self.assert_height(at);
            }
            let op = match running(&self.vm.chunk, &self.vm.link).ops.get(at) {
                Some(op) if at < self.region.end => op,
                _ => {
                    self.vm.ip = at;
                    let next = match self.heat {
                        0 => self.move_to_engine(at)?,
                        _ => self.leave_region(at)?,
                    };
                    match next {
                        Some(next) => ip = next,
                        None => break,
                    }
                    if ONE {
                        self.vm.ip = ip;
                        return Ok(true);
                    }
                    continue;
                }
            };
            if COUNT {
                count(&mut self.vm.stats, op);
            }
            ip = at + 1;
            let stack = &mut self.vm.stack;
            match *op {
                Op::Nop => {}
                Op::LoadInt(n) => stack.push(Value::Int(n)),
                Op::LoadFloat(f) => stack.push(Value::Float(f)),
                Op::LoadConst(index) => {
                    let chunk = running(&self.vm.chunk, &self.vm.link);
                    let constant = chunk.constants.get(usize::from(index));
                    stack.push(constant.cloned().unwrap_or_default());
                }
                Op::LoadTrue => stack.push(Value::Bool(true)),
                Op::LoadFalse => stack.push(Value::Bool(false)),
                Op::LoadUndef => stack.push(Value::Undef),

                Op::Pop => drop(stack.pop()),
                Op::Dup => stack.push(stack.last().cloned().unwrap_or_default()),
                Op::Dup2 => stack::dup2(stack),
                Op::Swap => stack::swap(stack),
                Op::Rot => stack::rot(stack),

                Op::GetVar(name) | Op::GetArray(name) | Op::GetHash(name) => {
                    let value = self.global(name).clone();
                    self.vm.stack.push(value);
                }
                Op::SetVar(name)
                | Op::DeclareVar(name)
                | Op::SetArray(name)
                | Op::SetHash(name) => {
                    let value = stack.pop().unwrap_or_default();
                    self.set_global(name, value);
                }
                Op::GetSlot(slot) => {
                    let value = variables::slot(&self.vm.frames, slot).clone();
                    stack.push(value);
                }
                Op::SetSlot(slot) => {
                    let value = stack.pop().unwrap_or_default();
                    check!(at, self.set_slot(slot, value));
                }
                Op::SlotArrayGet(slot) => self.slot_array_get(slot),
                Op::SlotArraySet(slot) => check!(at, self.slot_array_set(slot)),

                Op::DeclareArray(name) => self.set_global(name, Value::array(Vec::new())),
                Op::ArrayGet(name) => self.array_get(name),
                Op::ArraySet(name) => check!(at, self.array_set(name)),
                Op::ArrayPush(name) => check!(at, self.array_push(name)),
                Op::ArrayPop(name) => self.array_pop(name),
                Op::ArrayShift(name) => self.array_shift(name),
                Op::ArrayLen(name) => self.array_len(name),
                Op::MakeArray(count) => check!(at, self.make_array(count)),

                Op::DeclareHash(name) => self.set_global(name, Value::map(Default::default())),
                Op::HashGet(name) => check!(at, self.hash_get(name)),
                Op::HashSet(name) => check!(at, self.hash_set(name)),
                Op::HashDelete(name) => check!(at, self.hash_delete(name)),
                Op::HashExists(name) => check!(at, self.hash_exists(name)),
                Op::HashKeys(name) => check!(at, self.hash_keys(name)),
                Op::HashValues(name) => check!(at, self.hash_values(name)),
                Op::MakeHash(count) => check!(at, self.make_hash(count)),

                Op::Add => stack::if_both(stack, number::add),
                Op::Sub => stack::if_both(stack, number::sub),
                Op::Mul => stack::if_both(stack, number::mul),
                Op::Div => stack::with_both(stack, number::div),
                Op::Mod => stack::if_both(stack, number::modulo),
                Op::Pow => stack::with_both(stack, number::pow),
                Op::Negate => stack::with_top(stack, number::negate),
                Op::Inc => stack::with_top(stack, number::inc),
                Op::Dec => stack::with_top(stack, number::dec),

                Op::Concat => check!(at, self.concat()),
                Op::StringRepeat => check!(at, self.bulk_both(string::repeat)),
                Op::StringLen => stack::with_top(stack, |s| Value::Int(string::string_len(s))),

                Op::NumEq => stack::if_both(stack, |a, b| Value::Bool(compare::num_eq(a, b))),
                Op::NumNe => stack::if_both(stack, |a, b| Value::Bool(compare::num_ne(a, b))),
                Op::NumLt => stack::if_both(stack, |a, b| Value::Bool(compare::num_lt(a, b))),
                Op::NumGt => stack::if_both(stack, |a, b| Value::Bool(compare::num_gt(a, b))),
                Op::NumLe => stack::if_both(stack, |a, b| Value::Bool(compare::num_le(a, b))),
                Op::NumGe => stack::if_both(stack, |a, b| Value::Bool(compare::num_ge(a, b))),
                Op::Spaceship => {
                    stack::if_both(stack, |a, b| Value::Int(compare::spaceship(a, b)));
                }
                Op::StrEq => check!(at, self.compare_text(compare::str_eq)),
                Op::StrNe => check!(at, self.compare_text(compare::str_ne)),
                Op::StrLt => check!(at, self.compare_text(compare::str_lt)),
                Op::StrGt => check!(at, self.compare_text(compare::str_gt)),
                Op::StrLe => check!(at, self.compare_text(compare::str_le)),
                Op::StrGe => check!(at, self.compare_text(compare::str_ge)),
                Op::StrCmp => check!(
                    at,
                    self.bulk_both(|a, b, work| compare::str_cmp(a, b, work).map(Value::Int))
                ),

                Op::LogNot => stack::with_top(stack, number::log_not),
                Op::LogAnd => stack::with_both(stack, number::log_and),
                Op::LogOr => stack::with_both(stack, number::log_or),
                Op::BitAnd => stack::with_both(stack, number::bit_and),
                Op::BitOr => stack::with_both(stack, number::bit_or),
                Op::BitXor => stack::with_both(stack, number::bit_xor),
                Op::BitNot => stack::with_top(stack, number::bit_not),
                Op::Shl => stack::with_both(stack, number::shl),
                Op::Shr => stack::with_both(stack, number::shr),

                Op::Jump(target) => ip = check!(at, self.jump(at, target)),
                Op::JumpIfTrue(target) => {
                    if stack.pop().is_some_and(|value| value.is_truthy()) {
                        ip = check!(at, self.jump(at, target));
                    }
                }
                Op::JumpIfFalse(target) => {
                    if !stack.pop().is_some_and(|value| value.is_truthy()) {
                        ip = check!(at, self.jump(at, target));
                    }
                }
                Op::JumpIfTrueKeep(target) => {
                    if stack.last().is_some_and(Value::is_truthy) {
                        ip = check!(at, self.jump(at, target));
                    }
                }
                Op::JumpIfFalseKeep(target) => {
                    if !stack.last().is_some_and(Value::is_truthy) {
                        ip = check!(at, self.jump(at, target));
                    }
                }

                Op::Call(name, argc) => ip = check!(at, self.call(name, argc, ip)),
                Op::Return => match check!(at, self.return_none()) {
                    Some(next) => ip = next,
                    None => break,
                },
                Op::ReturnValue => match check!(at, self.return_value()) {
                    Some(next) => ip = next,
                    None => break,
                },
                Op::PushFrame => self.vm.frames.push(Frame {
                    return_ip: SCOPE,
                    stack_base: stack.len(),
                    slots: Vec::new(),
                }),
                Op::PopFrame => check!(at, self.pop_frame()),

                Op::Print(count) => check!(at, self.print(count, b"")),
                Op::PrintLn(count) => check!(at, self.print(count, b"\n")),
                Op::ReadLine => check!(at, self.read_line()),

                Op::Range => check!(at, self.range()),
                Op::RangeStep => check!(at, self.range_step()),
                Op::MapBlock(block) => ip = check!(at, self.map_block(block, ip)),
                Op::GrepBlock(block) => ip = check!(at, self.grep_block(block, ip)),
                Op::SortBlock(block) => ip = check!(at, self.sort_block(block, ip)),
                Op::SortDefault => check!(at, self.sort_default()),
                Op::ForEachBlock(block) => ip = check!(at, self.for_each_block(block, ip)),

                Op::PreIncSlot(slot) => {
                    let n = check!(at, self.increment(slot));
                    self.vm.stack.push(Value::Int(n));
                }
                Op::SlotLtIntJumpIfFalse(slot, limit, target) => {
                    if variables::slot(&self.vm.frames, slot).to_int() >= i64::from(limit) {
                        ip = check!(at, self.jump(at, target));
                    }
                }
                Op::SlotIncLtIntJumpBack(slot, limit, target) => {
                    if check!(at, self.increment(slot)) < i64::from(limit) {
                        ip = check!(at, self.jump(at, target));
                    }
                }
                Op::AccumSumLoop(sum, i, limit) => {
                    check!(at, self.accum_sum_loop(sum, i, limit));
                }
                Op::ConcatConstLoop(index, s, i, limit) => {
                    check!(at, self.concat_const_loop(index, s, i, limit));
                }
                Op::PushIntRangeLoop(array, i, limit) => {
                    check!(at, self.push_int_range_loop(array, i, limit));
                }
                Op::AddAssignSlotVoid(a, b) => check!(at, self.add_assign_slot(a, b)),
                Op::PreIncSlotVoid(slot) => {
                    check!(at, self.increment(slot));
                }

                Op::CallBuiltin(id, argc) => ip = check!(at, self.call_builtin(id, argc, ip)),
                Op::Extended(id, arg) => ip = check!(at, self.extended(id, arg, ip)),
                Op::ExtendedWide(id, payload) => {
                    ip = check!(at, self.extended_wide(id, payload, ip));
                }

                Op::Exec(argc) => ip = check!(at, self.exec(argc, ip)),
                Op::Glob => check!(at, self.glob(false)),
                Op::GlobRecursive => check!(at, self.glob(true)),
                Op::TestFile(test) => check!(at, self.test_file(test)),
                Op::SetStatus => ip = check!(at, self.set_status(ip)),
                Op::GetStatus => stack.push(Value::Status(self.vm.last_status)),
                Op::WordSplit => check!(at, self.word_split()),
                Op::BraceExpand => check!(at, self.brace_expand()),
                Op::TildeExpand => check!(at, self.tilde_expand()),
                Op::ExecBg(argc) => check!(at, self.exec_bg(argc, at)),
                Op::PipelineBegin(_) => ip = check!(at, self.pipeline(at)),
                Op::PipelineStage => check!(at, self.next_stage(at)),
                Op::PipelineEnd => check!(at, self.end_pipeline()),
                Op::Redirect(fd, code) => check!(at, self.redirect(fd, code)),
                Op::HereDoc(index) => check!(at, self.here_doc(index)),
                Op::HereString => check!(at, self.here_string()),
                Op::CmdSubst(block) => check!(at, self.cmd_subst(block)),
                Op::SubshellBegin => ip = check!(at, self.subshell(at)),
                Op::SubshellEnd => check!(at, Err(processes::not_begun())),
                Op::ProcessSubIn(block) => check!(at, self.process_sub(block, true)),
                Op::ProcessSubOut(block) => check!(at, self.process_sub(block, false)),
                Op::TrapSet(block) => check!(at, self.trap_set(block)),
                Op::TrapCheck => ip = check!(at, self.run_traps(ip)),
                Op::ExpandParam(modifier) => check!(at, self.expand_param(modifier)),
                Op::RedirectMark => ip = check!(at, self.redirect_mark(at)),
                Op::RedirectPop => check!(at, self.redirect_pop()),
            }
            if ONE {
                self.vm.ip = ip;
                return Ok(true);
            }
        }
        self.vm.ip = self.vm.running().ops.len();
        Ok(false)
    }

    /// Where a taken jump goes on. A backward one costs fuel.
    #[inline(always)]
    fn jump(&mut self, at: usize, target: usize) -> Step<usize> {
        if target < self.region.start || target > self.region.end {
            return Err(blocks::leaves_block());
        }
        if target <= at {
            self.vm.charge(1)?;
            self.warm_up();
        }
        Ok(target)
    }

    /// The VM that runs.
    pub(super) fn vm_mut(&mut self) -> &mut VM {
        self.vm
    }
}

/// Counts an op that is about to run.
#[inline]
fn count(stats: &mut Option<Box<Stats>>, op: &Op) {
    if let Some(stats) = stats {
        stats.ops += 1;
        stats.calls += u64::from(matches!(op, Op::Call(..)));
    }
}

impl Drop for Machine<'_> {
    fn drop(&mut self) {
        self.vm.meter.end_run(self.outer);
        NESTED_RUNS.set(NESTED_RUNS.get().saturating_sub(1));
    }
}
