//! The subs that are compiled together: one that is hot, and those that it calls.

use super::transfer::{Step, transfer};
use super::{Kind, Kinds};
use crate::jit::ir::inst::{Inst, Role, returns_value};
use crate::jit::ir::{Body, Graph, Program};
use crate::lower::code::Rop;
use rustc_hash::FxHashMap;

/// How a function is entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// By calls from native code, with arguments of these kinds.
    Call(Kinds),
    /// In the middle of a frame of the engine, at this position, all registers boxed; those of
    /// these kinds are guarded and unboxed. Returns leave native code.
    Frame(usize, Kinds),
}

/// A function of the group.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) entry: Entry,
    pub(crate) body: Body,
    pub(crate) graph: Graph,
    /// The kinds at the beginning of each block.
    pub(crate) kinds: Vec<Kinds>,
    /// What its calls give; `Nothing` if none was seen to return, `Undef` if they give nothing.
    pub(crate) result: Kind,
}

/// What no group exceeds: instructions, and registers times blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) words: usize,
    pub(crate) cells: usize,
}

/// Functions that are compiled together, the one that is entered from the engine first.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) functions: Vec<Function>,
    /// The function that calls of a region go to.
    pub(crate) called: FxHashMap<usize, usize>,
    /// Words of code in it.
    pub(crate) words: usize,
    budget: Budget,
    cells: usize,
    pending: Vec<usize>,
}

impl Function {
    /// Whether control gets to a block.
    pub(crate) fn is_reached(&self, block: usize) -> bool {
        let kinds = &self.kinds[block];
        // A frame without registers has no kinds to tell.
        kinds.is_empty() || kinds.iter().any(|kind| *kind != Kind::Nothing)
    }

    /// Whether what a register has where a block begins is ever looked at, or has to be dropped.
    pub(crate) fn matters(&self, block: usize, register: usize) -> bool {
        let graph = &self.graph;
        graph.blocks[block].live.contains(register) || graph.holds(&self.body, block, register)
    }

    /// The blocks that a frame can be entered at, the first one first: heads of loops beside.
    pub(crate) fn entries(&self) -> Vec<usize> {
        let mut entries = vec![self.graph.entry];
        if let Entry::Call(_) = self.entry {
            return entries;
        }
        for around in &self.graph.loops {
            let first = self.graph.blocks[around.head].start;
            let is_own = self.body.insts[first].site.frame == 0;
            let is_new = !entries.contains(&around.head);
            if is_own && is_new && self.is_reached(around.head) && entries.len() < MOST_ENTRIES {
                entries.push(around.head);
            }
        }
        entries
    }

    /// The kinds of registers with which a frame is entered at one of its entries, which is this block.
    pub(crate) fn kinds_at_entry(&self, number: usize, block: usize) -> Kinds {
        match (&self.entry, number) {
            (Entry::Frame(_, kinds), 0) => {
                let mut kinds = kinds.clone();
                kinds.resize(self.body.registers, Kind::Scalar);
                kinds
            }
            _ => self.kinds[block].clone(),
        }
    }

    /// Where a frame can be entered, as positions in its region's code.
    pub(crate) fn entry_positions(&self) -> Vec<u32> {
        let entries = self.entries().into_iter();
        let first = |block: usize| self.graph.blocks[block].start;
        entries
            .map(|block| self.body.insts[first(block)].site.at)
            .collect()
    }
}

/// The most places that a frame can be entered at.
const MOST_ENTRIES: usize = 8;

impl Group {
    /// Finds the group of a region and the kinds in it; `None` if its first function alone is
    /// beyond the budget.
    pub(crate) fn infer(
        program: &dyn Program,
        region: usize,
        entry: Entry,
        budget: Budget,
    ) -> Option<Group> {
        let mut group = Group {
            functions: Vec::new(),
            called: FxHashMap::default(),
            words: 0,
            budget,
            cells: 0,
            pending: Vec::new(),
        };
        group.add(program, region, entry)?;
        while let Some(function) = group.pending.pop() {
            group.flow(program, function);
        }
        Some(group)
    }

    /// What a call of a region results in; `Nothing` if it isn't compiled with the group.
    pub(crate) fn result_of(&self, region: usize) -> Kind {
        let function = self.called.get(&region);
        function.map_or(Kind::Nothing, |index| self.functions[*index].result)
    }

    fn add(&mut self, program: &dyn Program, region: usize, entry: Entry) -> Option<usize> {
        let left = self.budget.words.saturating_sub(self.words);
        let body = match &entry {
            Entry::Call(_) => Body::of_sub(program, region, left),
            Entry::Frame(position, _) => Body::of_frame(program, region, *position, left),
        }?;
        let graph = Graph::new(&body, &|region| program.argc(region));
        let registers = body.registers;
        let cells = graph.blocks.len() * registers;
        if self.cells + cells > self.budget.cells {
            return None;
        }
        self.words += body.words;
        self.cells += cells;
        let mut kinds = vec![vec![Kind::Nothing; registers]; graph.blocks.len()];
        kinds[graph.entry] = first_kinds(registers, &entry);
        let index = self.functions.len();
        if matches!(entry, Entry::Call(_)) {
            self.called.insert(region, index);
        }
        self.functions.push(Function {
            entry,
            body,
            graph,
            kinds,
            result: Kind::Nothing,
        });
        self.pending.push(index);
        Some(index)
    }

    /// Follows the kinds through a function until nothing changes.
    fn flow(&mut self, program: &dyn Program, index: usize) {
        let blocks = self.functions[index].graph.blocks.len();
        let mut dirty = vec![false; blocks];
        let mut work = std::collections::BTreeSet::new();
        work.extend((0..blocks).filter(|block| self.functions[index].is_reached(*block)));
        while let Some(block) = work.pop_first() {
            dirty[block] = true;
            let Some(kinds) = self.pass_block(program, index, block) else {
                continue;
            };
            let place = &self.functions[index].graph.blocks[block];
            let after = [place.taken, place.next];
            for next in after.into_iter().flatten() {
                let function = &mut self.functions[index];
                let (graph, body) = (&function.graph, &function.body);
                let mut changed = !dirty[next];
                for (register, (known, kind)) in
                    function.kinds[next].iter_mut().zip(&kinds).enumerate()
                {
                    let kind = match *kind {
                        kind if graph.blocks[next].live.contains(register) => kind,
                        // What is counted stays so until it is dropped.
                        Kind::Any if graph.holds(body, next, register) => Kind::Any,
                        _ => Kind::Scalar,
                    };
                    let joined = known.join(kind);
                    changed |= joined != *known;
                    *known = joined;
                }
                if changed {
                    work.insert(next);
                }
            }
        }
    }

    /// The kinds behind a block; `None` if control doesn't get there.
    fn pass_block(&mut self, program: &dyn Program, index: usize, block: usize) -> Option<Kinds> {
        let function = &self.functions[index];
        let mut kinds = function.kinds[block].clone();
        let place = &function.graph.blocks[block];
        for at in place.start..place.end {
            let inst = self.functions[index].body.insts[at];
            let result = if inst.op == Rop::Call && inst.role == Role::Plain {
                self.pass_call(program, &inst, &kinds)
            } else {
                Kind::Nothing
            };
            if let (Role::Plain, Some(gives)) = (inst.role, returns_value(inst.op)) {
                let kind = if gives {
                    kinds[inst.b()].passed()
                } else {
                    Kind::Undef
                };
                self.note_result(index, kind);
            }
            let mut step = Step {
                kinds: &mut kinds,
                seen: program.seen(inst.site.region as usize, inst.site.at as usize),
            };
            if !transfer(&inst, result, &mut step) {
                return None;
            }
        }
        Some(kinds)
    }

    /// Tells the callee what it gets; gives what the call results in.
    fn pass_call(&mut self, program: &dyn Program, inst: &Inst, kinds: &[Kind]) -> Kind {
        let region = inst.callee();
        let argc = program.argc(region);
        let passed: Kinds = kinds[inst.a()..inst.a() + argc]
            .iter()
            .map(|kind| kind.passed())
            .collect();
        let callee = match self.called.get(&region) {
            Some(callee) => *callee,
            None => match self.add(program, region, Entry::Call(passed.clone())) {
                Some(callee) => callee,
                None => return Kind::Nothing,
            },
        };
        let function = &mut self.functions[callee];
        let Entry::Call(parameters) = &mut function.entry else {
            return Kind::Nothing;
        };
        let mut changed = false;
        for (known, kind) in parameters.iter_mut().zip(&passed) {
            let joined = known.join(*kind).passed();
            changed |= joined != *known;
            *known = joined;
        }
        if changed {
            let first = first_kinds(function.kinds[0].len(), &function.entry);
            let entry = function.graph.entry;
            for (known, kind) in function.kinds[entry].iter_mut().zip(first) {
                *known = known.join(kind);
            }
            self.push_pending(callee);
        }
        self.functions[callee].result
    }

    fn note_result(&mut self, index: usize, kind: Kind) {
        let joined = self.functions[index].result.join(kind).passed_result();
        if joined == self.functions[index].result {
            return;
        }
        self.functions[index].result = joined;
        // Who calls it has to look again. Groups are small.
        for caller in 0..self.functions.len() {
            self.push_pending(caller);
        }
    }

    fn push_pending(&mut self, function: usize) {
        if !self.pending.contains(&function) {
            self.pending.push(function);
        }
    }
}

impl Kind {
    /// The kind in which a result is handed over; `Undef` stands for none.
    fn passed_result(self) -> Kind {
        match self {
            Kind::Scalar => Kind::Any,
            kind => kind,
        }
    }
}

/// The kinds of registers where a function begins.
fn first_kinds(registers: usize, entry: &Entry) -> Kinds {
    let mut kinds = vec![Kind::Scalar; registers];
    let known = match entry {
        Entry::Call(known) | Entry::Frame(_, known) => known,
    };
    kinds[..known.len()].copy_from_slice(known);
    kinds
}
