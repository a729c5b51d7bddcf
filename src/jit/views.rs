//! Views of arrays: what native code keeps of an array in machine registers, and for how long it holds.
//!
//! A view is where the elements of the array in a register or global begin, how many there are, and
//! how many may be written, which is none where the array is shared or only borrowed. With it an
//! access is a comparison and a load. It is opened at an access, or before a loop in which nothing
//! changes it, and holds until something might: another value in its place, a sub that is called, a
//! counted copy of any array.
//!
//! What is no array has a view without elements.

use super::ir::Program;
use super::ir::inst::{Inst, Role, effects};
use super::kinds::group::{Function, Group};
use super::kinds::transfer::element_kind;
use super::kinds::{Kind, Seen, walk};
use crate::lower::code::Rop;

/// The most arrays that a function has views of.
const MOST: usize = 16;

/// Where an array is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Array {
    Global(u16),
    Register(usize),
}

/// How much of a view is at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    Nothing,
    /// Elements can be read.
    Read,
    /// They can be written, too.
    Write,
}

/// The level of each array of a function, at some place.
pub(crate) type Levels = Vec<Level>;

/// The arrays of a function, and what is at hand where its blocks begin.
#[derive(Debug)]
pub(crate) struct Views {
    arrays: Vec<Array>,
    at_start: Vec<Levels>,
}

/// The array that an instruction reads or writes elements of, and what it needs for that.
pub(crate) fn access(inst: &Inst) -> Option<(Array, Level)> {
    let (a, b) = (inst.word.a(), inst.word.b());
    Some(match inst.op {
        Rop::ElementCopy | Rop::ElementBorrow | Rop::ElementLen => (Array::Global(b), Level::Read),
        Rop::SlotElementCopy | Rop::SlotElementBorrow | Rop::SlotElementLen => {
            (Array::Register(inst.b()), Level::Read)
        }
        Rop::ElementSet | Rop::ElementSetI | Rop::ElementSetW => (Array::Global(a), Level::Write),
        Rop::SlotElementSet | Rop::SlotElementSetI => (Array::Register(inst.a()), Level::Write),
        _ => return None,
    })
}

impl Views {
    /// The views of a function whose kinds are known.
    pub(crate) fn of(program: &dyn Program, group: &Group, function: &Function) -> Views {
        let mut arrays = Vec::new();
        for inst in &function.body.insts {
            if let Some((array, _)) = access(inst)
                && !arrays.contains(&array)
                && arrays.len() < MOST
            {
                arrays.push(array);
            }
        }
        let mut views = Views {
            arrays,
            at_start: Vec::new(),
        };
        if !views.arrays.is_empty() {
            views.solve(program, group, function);
        } else {
            views.at_start = vec![Levels::new(); function.graph.blocks.len()];
        }
        views
    }

    /// How many arrays there are.
    pub(crate) fn count(&self) -> usize {
        self.arrays.len()
    }

    /// Where an array is.
    pub(crate) fn array(&self, index: usize) -> Array {
        self.arrays[index]
    }

    /// The index of an array.
    pub(crate) fn index(&self, array: Array) -> Option<usize> {
        self.arrays.iter().position(|other| *other == array)
    }

    /// What is at hand where a block begins.
    pub(crate) fn at_start(&self, block: usize) -> &Levels {
        &self.at_start[block]
    }

    /// Nothing at hand.
    pub(crate) fn nothing(&self) -> Levels {
        vec![Level::Nothing; self.arrays.len()]
    }

    /// The array, as long as it can be one, that an instruction accesses elements of.
    pub(crate) fn accessed(&self, inst: &Inst, kinds: &[Kind]) -> Option<(usize, Level)> {
        let (array, level) = access(inst)?;
        if let Array::Register(register) = array
            && !kinds[register].is_boxed()
        {
            return None;
        }
        Some((self.index(array)?, level))
    }

    /// The array that an instruction may give another length, or put another one in the place of, while its
    /// view stays at hand.
    pub(crate) fn resized(&self, inst: &Inst, kinds: &[Kind], seen: Seen) -> Option<usize> {
        match self.accessed(inst, kinds) {
            Some((array, Level::Write)) => {
                let index = kinds[inst.b()];
                let stays = index == Kind::Int || index.is_boxed();
                (seen.is_irregular() || !stays).then_some(array)
            }
            _ if inst.op == Rop::ArrayPush => self.index(Array::Global(inst.word.a())),
            _ => self.moved(inst, kinds).map(|(_, to)| to),
        }
    }

    /// Where a register's array comes from, of an instruction that moves or borrows it.
    pub(crate) fn moved(&self, inst: &Inst, kinds: &[Kind]) -> Option<(usize, usize)> {
        let from = match inst.op {
            Rop::Copy | Rop::Borrow | Rop::Take if kinds[inst.b()].is_boxed() => {
                Array::Register(inst.b())
            }
            Rop::GlobalCopy | Rop::GlobalBorrow => Array::Global(inst.word.b()),
            _ => return None,
        };
        let to = self.index(Array::Register(inst.a()))?;
        Some((self.index(from)?, to))
    }

    /// Applies an instruction, before which registers are of these kinds, to what is at hand.
    pub(crate) fn step(&self, inst: &Inst, kinds: &[Kind], seen: Seen, levels: &mut Levels) {
        if let Some((array, level)) = self.accessed(inst, kinds) {
            levels[array] = levels[array].max(level);
        }
        let moved = self.moved(inst, kinds);
        if let Some((from, _)) = moved {
            levels[from] = levels[from].max(Level::Read);
        }
        if counts(inst, kinds, seen) {
            self.limit(levels, Level::Read, |_| true);
        }
        match inst.op {
            Rop::GlobalSet => {
                let global = Array::Global(inst.word.b());
                self.limit(levels, Level::Nothing, |array| array == global);
            }
            Rop::Outline | Rop::SlotLoop => self.forget_globals(levels),
            Rop::Call if inst.role == Role::Plain => {
                self.forget_globals(levels);
                self.forget_from(levels, inst.a());
            }
            Rop::Call => self.forget_from(levels, inst.a() + inst.immediate as usize),
            _ if inst.role == Role::Rejoin => self.forget_from(levels, inst.shift()),
            _ => {}
        }
        let (first, count) = effects(inst).writes;
        let keeps = matches!(inst.op, Rop::SlotElementSet | Rop::SlotElementSetI);
        if !keeps {
            self.limit(levels, Level::Nothing, |array| match array {
                Array::Register(register) => (first..first + count).contains(&register),
                Array::Global(_) => false,
            });
        }
        if let Some((from, to)) = moved {
            levels[to] = levels[from].min(Level::Read);
        }
        if inst.op == Rop::Take {
            let from = Array::Register(inst.b());
            self.limit(levels, Level::Nothing, |array| array == from);
        }
    }

    fn limit(&self, levels: &mut Levels, most: Level, which: impl Fn(Array) -> bool) {
        for (array, level) in self.arrays.iter().zip(levels) {
            if which(*array) {
                *level = (*level).min(most);
            }
        }
    }

    fn forget_globals(&self, levels: &mut Levels) {
        self.limit(levels, Level::Read, |_| true);
        self.limit(levels, Level::Nothing, |array| {
            matches!(array, Array::Global(_))
        });
    }

    fn forget_from(&self, levels: &mut Levels, first: usize) {
        self.limit(levels, Level::Nothing, |array| match array {
            Array::Register(register) => register >= first,
            Array::Global(_) => false,
        });
    }

    /// Finds out what is at hand where blocks begin: what all ways there have, and what a loop's
    /// head is given before the loop. A register must be live and in its memory for that, as a dead
    /// one's may point anywhere.
    fn solve(&mut self, program: &dyn Program, group: &Group, function: &Function) {
        let graph = &function.graph;
        let given = self.given(program, group, function);
        let joined = |block: usize, array: usize, levels: &Levels| {
            let given = given[block].as_ref().map(|given| given[array]);
            match can_be_opened(function, block, self.arrays[array]) {
                true => levels[array].max(given.unwrap_or(Level::Nothing)),
                false => Level::Nothing,
            }
        };
        let all = |block: usize, levels: &Levels| -> Levels {
            (0..levels.len())
                .map(|array| joined(block, array, levels))
                .collect()
        };
        let top = vec![Level::Write; self.count()];
        let mut at_start = vec![top; graph.blocks.len()];
        at_start[graph.entry] = all(graph.entry, &self.nothing());
        let mut changed = true;
        while changed {
            changed = false;
            for block in 0..graph.blocks.len() {
                if !function.is_reached(block) {
                    continue;
                }
                let mut levels = at_start[block].clone();
                walk::block(program, group, function, block, |walked| {
                    self.step(walked.inst, walked.before, walked.seen, &mut levels);
                });
                for next in graph.after(block) {
                    let known = at_start[next].iter().zip(&levels);
                    let least: Levels = known.map(|(known, level)| *known.min(level)).collect();
                    let least = all(next, &least);
                    changed |= least != at_start[next];
                    at_start[next] = least;
                }
            }
        }
        self.at_start = at_start;
    }

    /// By block, what a loop's head is given: what is accessed in the loop, or in one around it, and
    /// nothing in it changes.
    fn given(
        &self,
        program: &dyn Program,
        group: &Group,
        function: &Function,
    ) -> Vec<Option<Levels>> {
        let graph = &function.graph;
        let mut given: Vec<Option<Levels>> = vec![None; graph.blocks.len()];
        for (place, around) in graph.loops.iter().enumerate() {
            let mut wanted = self.nothing();
            let mut least = vec![Level::Write; self.count()];
            for block in around.head..=around.latch {
                walk::block(program, group, function, block, |walked| {
                    let (wants, leaves) = self.effect(walked.inst, walked.before, walked.seen);
                    for array in 0..self.count() {
                        wanted[array] = wanted[array].max(wants[array]);
                        least[array] = least[array].min(leaves[array]);
                    }
                });
            }
            let levels = wanted.iter().zip(&least).map(|(a, b)| *a.min(b));
            let mut levels: Levels = levels.collect();
            // Outer loops come first.
            for outer in graph.loops[..place]
                .iter()
                .filter(|outer| outer.has(around.latch))
            {
                let outer = given[outer.head].iter().flatten();
                for (level, outer) in levels.iter_mut().zip(outer) {
                    *level = (*level).max(*outer);
                }
            }
            given[around.head] = Some(levels);
        }
        given
    }

    /// What an instruction wants at hand, and what it leaves of what was.
    fn effect(&self, inst: &Inst, kinds: &[Kind], seen: Seen) -> (Levels, Levels) {
        let mut wants = self.nothing();
        self.step(inst, kinds, seen, &mut wants);
        if let Some((array, level)) = self.accessed(inst, kinds) {
            wants[array] = wants[array].max(level);
        }
        let mut leaves = vec![Level::Write; self.count()];
        self.step(inst, kinds, seen, &mut leaves);
        if let Some((_, to)) = self.moved(inst, kinds) {
            leaves[to] = Level::Nothing;
        }
        (wants, leaves)
    }
}

/// Whether a view of an array can be opened where a block begins: the memory of a dead register may point
/// anywhere.
pub(crate) fn can_be_opened(function: &Function, block: usize, array: Array) -> bool {
    match array {
        Array::Register(register) => {
            function.graph.blocks[block].live.contains(register)
                && function.kinds[block][register].is_boxed()
        }
        Array::Global(_) => true,
    }
}

/// Whether the instruction may count something that is boxed once more, so that arrays which were
/// unshared may not be.
fn counts(inst: &Inst, kinds: &[Kind], seen: Seen) -> bool {
    let boxed = |register: usize| kinds[register].is_boxed();
    match inst.op {
        Rop::Copy => boxed(inst.b()),
        Rop::Own | Rop::GlobalSet => boxed(inst.a()),
        Rop::ElementSet | Rop::SlotElementSet | Rop::HashSet | Rop::ArrayPush => boxed(inst.c()),
        Rop::GlobalCopy => seen.loaded().is_none(),
        Rop::ElementCopy => element_kind(seen, Kind::Any, kinds[inst.c()]).is_none(),
        Rop::SlotElementCopy => element_kind(seen, kinds[inst.b()], kinds[inst.c()]).is_none(),
        Rop::HashGetCopy | Rop::Outline | Rop::SlotLoop => true,
        Rop::Call => inst.role == Role::Plain,
        _ => inst.role == Role::Rejoin,
    }
}
