//! The instructions of a function, inlined subs included.

use super::Program;
use super::graph::RegisterSet;
use super::inst::{Flow, Inst, Role, is_return};
use crate::lower::code::{Code, MAX_REGISTERS, Place, Rop, Word};
use std::ops::Range;

/// Words of the largest sub that is inlined, and how deep subs are inlined in each other.
const INLINED_WORDS: usize = 64;
const INLINED_DEPTH: usize = 2;

/// Words of the largest sub that is inlined into itself, once.
const RECURSIVE_WORDS: usize = 32;

/// A frame within a function: its own, or that of an inlined sub.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) region: usize,
    /// How many registers its window is above the function's own.
    pub(crate) shift: usize,
    /// The call that it is the frame of.
    pub(crate) call: Option<Call>,
    /// How many calls are around it in the function.
    pub(crate) depth: usize,
    /// Registers that whoever looks at the frames may see: the slots of this one and of those
    /// around it, and what those keep on their stacks.
    pub(crate) held: RegisterSet,
}

/// An inlined call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// The caller's frame.
    pub(crate) frame: usize,
    /// Where the call stands in the caller's region.
    pub(crate) at: usize,
    /// How many bytes the window moves up.
    pub(crate) step: u16,
}

/// The instructions of a function.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) insts: Vec<Inst>,
    /// The function's own frame first.
    pub(crate) frames: Vec<Frame>,
    /// Registers of all frames.
    pub(crate) registers: usize,
    /// The instruction that the function begins with.
    pub(crate) entry: usize,
    /// Words of register code that it is made of.
    pub(crate) words: usize,
    /// Registers that hold what is on the stack, for the instructions where that is on record, and
    /// for each instruction where they end.
    kept: Vec<u16>,
    kept_ends: Vec<u32>,
    /// What is live where control leaves the piece that this is, for each instruction that does so.
    outside: Vec<RegisterSet>,
}

/// The places of a region's code that become part of a function.
struct Places {
    /// What they are from.
    stretch: Range<usize>,
    /// Those of its instructions, ascending.
    inside: Vec<usize>,
    /// Where control leads from them to what isn't part of it, in the order of [`order`](Self::order).
    outside: Vec<usize>,
}

impl Places {
    /// What follows the stretch comes first, so that control gets there without a jump, and no jump out of it
    /// is one back.
    fn order(&self, outside: usize) -> (bool, usize) {
        (outside < self.stretch.start, outside)
    }

    /// Which of the instructions stands for a position: those inside first, then those outside.
    fn number(&self, position: usize) -> Option<usize> {
        if self.stretch.contains(&position) {
            return self.inside.binary_search(&position).ok();
        }
        let by_order = |outside: &usize| self.order(*outside);
        let key = self.order(position);
        let found = self.outside.binary_search_by_key(&key, by_order).ok()?;
        Some(self.inside.len() + found)
    }
}

impl Body {
    /// The body of `region` from its first instruction on, at most so many words of code; `None` if the
    /// region isn't lowered, or larger.
    pub(crate) fn of_sub(program: &dyn Program, region: usize, max_words: usize) -> Option<Body> {
        let code = program.code(region)?;
        (code.words.len() <= max_words).then(|| {
            let places = reached(program, region, code, 0, 0..code.words.len());
            Body::made_of(program, region, code, &places, 0, max_words)
        })
    }

    /// The body of `region` from the instruction at `start` on: all of it, or a piece if that is more than so
    /// many words of code. `None` if the region isn't lowered, or too large for pieces.
    pub(crate) fn of_frame(
        program: &dyn Program,
        region: usize,
        start: usize,
        max_words: usize,
    ) -> Option<Body> {
        let code = program.code(region)?;
        if code.words.len() <= max_words {
            let places = reached(program, region, code, start, 0..code.words.len());
            return Some(Body::made_of(
                program, region, code, &places, start, max_words,
            ));
        }
        let seams = program.seams(region)?;
        let places = reached(program, region, code, start, seams.piece(start, max_words)?);
        let outside = places.outside.iter();
        let live = outside.map(|position| seams.live_at(code, *position).cloned());
        let live = live.collect::<Option<_>>()?;
        let mut body = Body::made_of(program, region, code, &places, start, max_words);
        body.outside = live;
        Some(body)
    }

    /// All instructions of a region, whether any path leads to them or not; `None` if it isn't lowered.
    pub(super) fn whole(program: &dyn Program, region: usize) -> Option<Body> {
        let code = program.code(region)?;
        let mut places = Places {
            stretch: 0..code.words.len(),
            inside: Vec::new(),
            outside: Vec::new(),
        };
        let mut at = 0;
        while let Some(word) = code.words.get(at) {
            places.inside.push(at);
            at += Word(*word).op().words();
        }
        Some(Body::made_of(program, region, code, &places, 0, 0))
    }

    /// The body that has the instructions at these places, and begins with the one at `start`.
    fn made_of(
        program: &dyn Program,
        region: usize,
        code: &Code,
        places: &Places,
        start: usize,
        max_words: usize,
    ) -> Body {
        let mut body = Body {
            insts: Vec::new(),
            frames: Vec::new(),
            registers: 0,
            entry: 0,
            words: 0,
            kept: Vec::new(),
            kept_ends: Vec::new(),
            outside: Vec::new(),
        };
        let frame = body.add_frame(code, region, None);
        let indices = body.splice(program, code, places, frame, max_words);
        body.entry = match program.fresh(region) {
            Some(_) => 0,
            None => places
                .number(start)
                .map_or(0, |number| indices[number] as usize),
        };
        body
    }

    /// What is live where an instruction that leaves the piece leads.
    pub(crate) fn live_outside(&self, inst: &Inst) -> Option<&RegisterSet> {
        (inst.role == Role::Part).then(|| &self.outside[inst.immediate as usize])
    }

    /// How many inlined calls are around each other at most.
    pub(crate) fn depth(&self) -> usize {
        let depths = self.frames.iter().map(|frame| frame.depth);
        depths.max().unwrap_or_default()
    }

    /// The frame that an instruction belongs to.
    pub(crate) fn frame_of(&self, inst: &Inst) -> &Frame {
        &self.frames[usize::from(inst.site.frame)]
    }

    /// The registers that whoever looks at the stack before an instruction finds its values in.
    pub(crate) fn kept_at(&self, index: usize) -> &[u16] {
        let start = index
            .checked_sub(1)
            .map_or(0, |before| self.kept_ends[before]);
        &self.kept[start as usize..self.kept_ends[index] as usize]
    }

    /// Adds an instruction of a region whose code is `code`.
    fn push(&mut self, code: &Code, inst: Inst) {
        for place in code.map_at(inst.site.at as usize).into_iter().flatten() {
            if let Place::Register(register) = place {
                self.kept.push(*register + inst.shift() as u16);
            }
        }
        self.kept_ends.push(self.kept.len() as u32);
        self.insts.push(inst);
    }

    fn add_frame(&mut self, code: &Code, region: usize, call: Option<Call>) -> usize {
        let (shift, depth) = match call {
            Some(call) => {
                let caller = &self.frames[call.frame];
                let step = usize::from(call.step) / crate::lower::code::REGISTER_BYTES;
                (caller.shift + step, caller.depth + 1)
            }
            None => (0, 0),
        };
        let registers = shift + code.registers as usize;
        self.registers = self.registers.max(registers);
        let mut held = RegisterSet::new(registers);
        for slot in code.slots.iter().flatten() {
            held.insert(shift + usize::from(*slot));
        }
        self.frames.push(Frame {
            region,
            shift,
            call,
            depth,
            held,
        });
        self.frames.len() - 1
    }

    /// Adds the instructions of a frame at these places. Gives the index of each.
    fn splice(
        &mut self,
        program: &dyn Program,
        code: &Code,
        places: &Places,
        frame: usize,
        max_words: usize,
    ) -> Vec<u32> {
        let first = self.insts.len();
        let mut indices = Vec::with_capacity(places.inside.len() + places.outside.len());
        let words = |at: &usize| Word(code.words[*at]).op().words();
        self.words += places.inside.iter().map(words).sum::<usize>();
        let region = self.frames[frame].region;
        if let Some(fresh) = program.fresh(region).filter(|fresh| *fresh > 0) {
            let inst = Inst::clearing(program.argc(region), fresh);
            self.push(code, inst.within(frame, &self.frames[frame]));
        }
        for &at in &places.inside {
            indices.push(self.insts.len() as u32);
            let mut inst =
                instruction(program, region, code, at).within(frame, &self.frames[frame]);
            if inst.op == Rop::Relink {
                // Native code has not left its program, and goes on with what is behind.
                continue;
            }
            match self.inlined(program, &inst, max_words) {
                Some(callee) => {
                    inst.role = Role::Enter;
                    inst.immediate = program.argc(inst.callee()) as u64;
                    self.push(code, inst);
                    self.inline(program, code, &inst, callee, max_words);
                }
                None => {
                    if frame > 0 && is_return(inst.op) {
                        inst.role = Role::Rejoin;
                    }
                    self.push(code, inst);
                }
            }
        }
        for (number, &at) in places.outside.iter().enumerate() {
            indices.push(self.insts.len() as u32);
            let inst = Inst::at(code, at).parting(number);
            self.push(code, inst.within(frame, &self.frames[frame]));
        }
        for inst in &mut self.insts[first..] {
            let branches = matches!(inst.role, Role::Plain | Role::Enter);
            if usize::from(inst.site.frame) == frame && branches {
                let target = inst.target_position();
                let target = target.and_then(|target| places.number(target));
                inst.target = target.map_or(0, |number| indices[number]);
            }
        }
        indices
    }

    /// The code of the sub that a call is replaced by, if it is.
    fn inlined<'p>(
        &self,
        program: &'p dyn Program,
        inst: &Inst,
        max_words: usize,
    ) -> Option<&'p Code> {
        if inst.op != Rop::Call {
            return None;
        }
        let region = inst.callee();
        let code = program.code(region)?;
        let frame = self.frame_of(inst);
        let is_small = code.words.len() <= INLINED_WORDS
            && self.words + code.words.len() <= max_words
            && inst.a() + (code.registers as usize) < MAX_REGISTERS;
        if !is_small || frame.depth >= INLINED_DEPTH {
            return None;
        }
        let mut same = 0;
        let mut around = Some(frame);
        while let Some(frame) = around {
            same += usize::from(frame.region == region);
            around = frame.call.map(|call| &self.frames[call.frame]);
        }
        let most = usize::from(code.words.len() <= RECURSIVE_WORDS);
        (same <= most).then_some(code)
    }

    /// Adds the instructions of the sub that a call reaches.
    fn inline(
        &mut self,
        program: &dyn Program,
        caller: &Code,
        inst: &Inst,
        code: &Code,
        max_words: usize,
    ) {
        let call = Call {
            frame: usize::from(inst.site.frame),
            at: inst.site.at as usize,
            step: inst.word.a(),
        };
        let frame = self.add_frame(code, inst.callee(), Some(call));
        let outer = &self.frames[call.frame];
        let mut held = outer.held.clone();
        for place in caller.map_at(call.at).into_iter().flatten() {
            if let Place::Register(register) = place {
                held.insert(outer.shift + usize::from(*register));
            }
        }
        for register in held.iter().take_while(|register| *register < inst.a()) {
            self.frames[frame].held.insert(register);
        }
        let first = self.insts.len();
        let region = inst.callee();
        let places = reached(program, region, code, 0, 0..code.words.len());
        self.splice(program, code, &places, frame, max_words);
        let behind = self.insts.len() as u32;
        for inst in &mut self.insts[first..] {
            if usize::from(inst.site.frame) == frame && inst.role == Role::Rejoin {
                inst.target = behind;
            }
        }
    }
}

/// The instruction at a position of a region; one that calls a function of another chunk is an ordinary
/// call if that is known, and the end of such a function an ordinary return.
fn instruction(program: &dyn Program, region: usize, code: &Code, at: usize) -> Inst {
    let inst = Inst::at(code, at);
    match inst.op {
        Rop::Call | Rop::CallLinked => inst.calling(program.callee(region, inst.word)),
        Rop::End if program.fresh(region).is_some() => inst.returning(),
        _ => inst,
    }
}

/// The instructions that are reached from `start` within a stretch of the code, and where that is left.
fn reached(
    program: &dyn Program,
    region: usize,
    code: &Code,
    start: usize,
    stretch: Range<usize>,
) -> Places {
    let mut seen = vec![false; stretch.len()];
    let mut outside = Vec::new();
    let mut work = vec![start];
    while let Some(mut at) = work.pop() {
        loop {
            if !stretch.contains(&at) {
                outside.push(at);
                break;
            }
            if std::mem::replace(&mut seen[at - stretch.start], true) {
                break;
            }
            let inst = instruction(program, region, code, at);
            match inst.flow_within() {
                Flow::Next => {}
                Flow::Jump(target) => {
                    work.push(target);
                    break;
                }
                Flow::Branch(target) => work.push(target),
                Flow::End => break,
            }
            at += inst.op.words();
        }
    }
    outside.retain(|at| *at < code.words.len());
    let seen_places = seen.iter().enumerate();
    let inside = seen_places.filter_map(|(at, seen)| seen.then_some(stretch.start + at));
    let mut places = Places {
        inside: inside.collect(),
        outside: Vec::new(),
        stretch,
    };
    outside.sort_unstable_by_key(|at| places.order(*at));
    outside.dedup();
    places.outside = outside;
    places
}
