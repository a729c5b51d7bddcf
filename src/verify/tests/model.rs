//! A second verifier, written section by section from chapter 4 of the specification without a thought
//! for speed, and random code on which both must agree: verdict, code, op, heights, scopes, arities.

use super::Sample;
use crate::{
    chunk::{Effect, ImportKind, Touches},
    code::Code,
    op::{Flow, INFO, Op, Operand, OperandKind, StackEffect},
    verify::{Arity, ImportRow, Sub},
};
use proptest::{prelude::*, test_runner::RngSeed};
use std::collections::{BTreeMap, VecDeque};

/// An error: its code and its op.
type Wrong = (Code, Option<usize>);

/// 4.1: a region, by its row.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Region {
    Main,
    Sub(usize),
    Block(usize),
}

/// What is noted for an op: the region, each open scope with its base, the height.
#[derive(Debug, Clone, PartialEq)]
struct State {
    region: Region,
    scopes: Vec<(usize, u32)>,
    height: u32,
}

impl State {
    fn base(&self) -> u32 {
        self.scopes.last().map_or(0, |(_, base)| *base)
    }
}

/// 4.1: what an op puts on a block's stack, and whether the block leaves one value.
fn block_rule(op: &Op) -> Option<(usize, u32, bool)> {
    let block = op.operands().iter().find_map(|operand| match operand {
        Operand::Block(block) => Some(usize::from(*block)),
        _ => None,
    })?;
    let (height, one) = match op.info().name {
        "MapBlock" | "GrepBlock" => (1, true),
        "SortBlock" => (2, true),
        "ForEachBlock" => (1, false),
        _ => (0, false),
    };
    Some((block, height, one))
}

fn target(op: &Op) -> usize {
    let operands = op.operands();
    let mut targets = operands.iter().filter_map(|operand| match operand {
        Operand::Target(target) => Some(*target),
        _ => None,
    });
    targets.next().expect("a branch has a target")
}

/// 4.1: the segments, by a look at each op in turn with what was begun before it and hasn't ended.
struct Segments {
    /// For each op, and the end of the ops, the mark that begins its segment.
    of: Vec<Option<usize>>,
    /// For each mark that pairs, the one that begins the pair and the next one.
    marks: BTreeMap<usize, (usize, Option<usize>)>,
}

impl Segments {
    fn of(ops: &[Op]) -> Segments {
        let kind = |op: &Op| match op.info().name {
            "PipelineBegin" | "PipelineStage" | "PipelineEnd" => 1,
            "SubshellBegin" | "SubshellEnd" => 2,
            "RedirectMark" | "RedirectPop" => 3,
            _ => 0,
        };
        let mut marks = BTreeMap::new();
        let mut open: Vec<Vec<usize>> = Vec::new();
        for (at, op) in ops.iter().enumerate().filter(|(_, op)| kind(op) > 0) {
            let fits = open
                .last()
                .is_some_and(|pair| kind(&ops[pair[0]]) == kind(op));
            match op.info().name {
                "PipelineBegin" | "SubshellBegin" | "RedirectMark" => open.push(vec![at]),
                "PipelineStage" if fits => open.last_mut().expect("it fits").push(at),
                "PipelineEnd" | "SubshellEnd" | "RedirectPop" if fits => {
                    let mut pair = open.pop().expect("it fits");
                    let stages = match ops[pair[0]] {
                        Op::PipelineBegin(stages) => usize::from(stages),
                        _ => 1,
                    };
                    if pair.len() == stages {
                        pair.push(at);
                        for (i, mark) in pair.iter().enumerate() {
                            marks.insert(*mark, (pair[0], pair.get(i + 1).copied()));
                        }
                    }
                }
                _ => {}
            }
        }
        let inside = |at: usize| {
            let spans = marks
                .iter()
                .filter_map(|(begin, (_, end))| Some((*begin, (*end)?)));
            // The innermost begins last.
            spans
                .filter(|(begin, end)| *begin < at && at <= *end)
                .map(|(begin, _)| begin)
                .max()
        };
        Segments {
            of: (0..=ops.len()).map(inside).collect(),
            marks,
        }
    }
}

/// 4.7: who looks at the ops of a walk.
trait Looker {
    /// What is noted for an op.
    type Noted: Clone;
    /// Checks an edge to an op for which `there` is noted. `None` if the path ends there.
    fn edge(
        &self,
        from: usize,
        to: usize,
        here: &Self::Noted,
        there: Option<&Self::Noted>,
    ) -> Result<bool, Wrong>;
    /// Looks at an op: what holds behind it, or `None` if the path ends with it.
    fn look(
        &mut self,
        at: usize,
        state: &Self::Noted,
        noted: &BTreeMap<usize, Self::Noted>,
    ) -> Result<Option<Self::Noted>, Wrong>;
    /// Where the segment ends that the op begins.
    fn segment_end(&self, at: usize) -> Option<usize>;
}

/// 4.7. Ops without an entry in `noted` are new, those in `pending` pending.
fn walk<L: Looker>(
    looker: &mut L,
    ops: &[Op],
    noted: &mut BTreeMap<usize, L::Noted>,
    (by, entry, state): (usize, usize, L::Noted),
) -> Result<(), Wrong> {
    let mut pending: Vec<usize> = Vec::new();
    if !looker.edge(by, entry, &state, noted.get(&entry))? {
        return Ok(());
    }
    noted.insert(entry, state);
    let mut next = Some(entry);
    while let Some(at) = next.or_else(|| pending.pop()) {
        next = None;
        let state = noted[&at].clone();
        let Some(after) = looker.look(at, &state, noted)? else {
            continue;
        };
        let second = match ops[at].flow() {
            Flow::Branch => Some(target(&ops[at])),
            _ => looker.segment_end(at),
        };
        if let Some(to) = second
            && looker.edge(at, to, &after, noted.get(&to))?
            && !noted.contains_key(&to)
        {
            noted.insert(to, after.clone());
            pending.push(to);
        }
        let to = match ops[at].flow() {
            Flow::Jump => target(&ops[at]),
            _ => at + 1,
        };
        if looker.edge(at, to, &after, noted.get(&to))? {
            let waiting = pending.iter().position(|op| *op == to);
            if let Some(index) = waiting {
                pending.remove(index);
            }
            if waiting.is_some() || !noted.contains_key(&to) {
                noted.insert(to, after);
                next = Some(to);
            }
        }
    }
    Ok(())
}

/// The verifier.
struct Model<'a> {
    sample: &'a Sample,
    segments: Segments,
    argc: Vec<u8>,
    arity: Vec<Arity>,
    uses: BTreeMap<usize, (u32, bool, usize)>,
    queue: VecDeque<usize>,
    noted: BTreeMap<usize, State>,
    region: Region,
    height: u32,
    /// Whether the edge at hand is that to the region's entry.
    at_entry: bool,
}

impl<'a> Model<'a> {
    fn new(sample: &'a Sample) -> Self {
        Model {
            sample,
            segments: Segments::of(&sample.ops),
            argc: sample
                .subs
                .iter()
                .map(|sub| sub.argc.unwrap_or(0))
                .collect(),
            arity: vec![Arity::Never; sample.subs.len()],
            uses: BTreeMap::new(),
            queue: VecDeque::new(),
            noted: BTreeMap::new(),
            region: Region::Main,
            height: 0,
            at_entry: false,
        }
    }

    fn verify(&mut self) -> Result<(), Wrong> {
        self.tables()?;
        self.ops()?;
        self.subs()?;
        self.flow()
    }

    /// 4.2, but for sizes.
    fn tables(&self) -> Result<(), Wrong> {
        let ops = self.sample.ops.len();
        let demand = |holds, code| if holds { Ok(()) } else { Err((code, None)) };
        for sub in &self.sample.subs {
            demand(usize::from(sub.name) < self.sample.names, Code::BadName)?;
            demand(sub.entry < ops, Code::BadSub)?;
        }
        for (start, end) in &self.sample.blocks {
            demand(start <= end && *end <= ops, Code::BadBlock)?;
        }
        for (i, row) in self.sample.imports.iter().enumerate() {
            let before = &self.sample.imports[..i];
            let behind = before
                .last()
                .is_none_or(|b| (b.kind, b.id) < (row.kind, row.id));
            demand(behind, Code::BadImport)?;
            let named = row.kind != ImportKind::Function || usize::from(row.id) < self.sample.names;
            demand(named, Code::BadName)?;
            let wide = row.kind == ImportKind::ExtensionWide;
            let by_arguments = matches!(row.effect, Effect::Arguments { .. });
            demand(!(wide && by_arguments), Code::BadImport)?;
        }
        Ok(())
    }

    /// 4.3.
    fn ops(&self) -> Result<(), Wrong> {
        for (at, op) in self.sample.ops.iter().enumerate() {
            for operand in op.operands().iter() {
                let (holds, code) = match *operand {
                    Operand::Const(i) => {
                        (usize::from(i) < self.sample.constants, Code::BadConstant)
                    }
                    Operand::Name(i) => (usize::from(i) < self.sample.names, Code::BadName),
                    Operand::Block(i) => {
                        (usize::from(i) < self.sample.blocks.len(), Code::BadBlock)
                    }
                    Operand::Target(to) => (to <= self.sample.ops.len(), Code::BadTarget),
                    _ => (true, Code::BadOperand),
                };
                if !holds {
                    return Err((code, Some(at)));
                }
            }
            let declared = op.effect() == StackEffect::Declared;
            if declared && self.callee(op).is_none() && self.import(op).is_none() {
                return Err((Code::BadImport, Some(at)));
            }
        }
        Ok(())
    }

    /// The sub that an op calls, and with how many arguments.
    fn callee(&self, op: &Op) -> Option<(usize, u8)> {
        let Op::Call(name, argc) = *op else {
            return None;
        };
        let row = self.sample.subs.iter().position(|sub| sub.name == name)?;
        Some((row, argc))
    }

    /// The import that an op calls, and its second operand.
    fn import(&self, op: &Op) -> Option<(ImportRow, u32)> {
        let (kind, id, count) = match *op {
            Op::CallBuiltin(id, argc) => (ImportKind::Builtin, id, argc),
            Op::Extended(id, arg) => (ImportKind::Extension, id, arg),
            Op::ExtendedWide(id, _) => (ImportKind::ExtensionWide, id, 0),
            Op::Call(name, argc) => (ImportKind::Function, name, argc),
            _ => return None,
        };
        let mut rows = self.sample.imports.iter();
        let row = rows.find(|row| (row.kind, row.id) == (kind, id))?;
        Some((*row, u32::from(count)))
    }

    /// 4.4.
    fn subs(&mut self) -> Result<(), Wrong> {
        let mut called = vec![None; self.argc.len()];
        for op in &self.sample.ops {
            if let Some((row, argc)) = self.callee(op) {
                called[row].get_or_insert(argc);
            }
        }
        let mut noted = BTreeMap::new();
        for (row, first) in called.into_iter().enumerate() {
            let Some(first) = first else {
                continue;
            };
            let Sub { entry, argc, .. } = self.sample.subs[row];
            self.argc[row] = argc.unwrap_or(first);
            let mut looker = FindArity {
                sample: self.sample,
                segments: &self.segments,
                arity: Arity::Never,
            };
            walk(
                &mut looker,
                &self.sample.ops,
                &mut noted,
                (entry, entry, row),
            )?;
            self.arity[row] = looker.arity;
        }
        Ok(())
    }

    /// 4.5.
    fn flow(&mut self) -> Result<(), Wrong> {
        self.enter(Region::Main, 0, 0, 0)?;
        for (row, sub) in self.sample.subs.iter().enumerate() {
            self.enter(
                Region::Sub(row),
                sub.entry,
                sub.entry,
                self.argc[row].into(),
            )?;
        }
        while let Some(block) = self.queue.pop_front() {
            let (height, _, by) = self.uses[&block];
            self.enter(
                Region::Block(block),
                by,
                self.sample.blocks[block].0,
                height,
            )?;
        }
        Ok(())
    }

    fn enter(&mut self, region: Region, by: usize, entry: usize, height: u32) -> Result<(), Wrong> {
        self.region = region;
        self.height = self.height.max(height);
        let state = State {
            region,
            scopes: vec![],
            height,
        };
        self.at_entry = true;
        let mut noted = std::mem::take(&mut self.noted);
        let result = walk(self, &self.sample.ops, &mut noted, (by, entry, state));
        self.noted = noted;
        result
    }

    /// 4.5, 1: the effect of an op.
    fn effect(&self, op: &Op) -> Result<(u32, u32), Code> {
        if let StackEffect::Fixed { pops, pushes } = op.effect() {
            return Ok((pops, pushes));
        }
        if let Some((row, argc)) = self.callee(op) {
            if argc != self.argc[row] {
                return Err(Code::ArityMismatch);
            }
            return Ok((argc.into(), (self.arity[row] == Arity::Value).into()));
        }
        let (row, count) = self.import(op).expect("the second stage saw to it");
        let effect = match row.effect {
            Effect::Arguments { pushes } => (count, pushes.into()),
            Effect::Fixed { pops, pushes } => (pops.into(), pushes.into()),
            Effect::Unknown => return Err(Code::UnknownEffect),
        };
        if row.touches.contains(Touches::FRAMES) {
            return Err(Code::TouchesFrames);
        }
        Ok(effect)
    }

    /// 4.5, 4: a return in the region at hand.
    fn end_call(&mut self, op: &Op) -> Result<(), Code> {
        match self.region {
            Region::Main => Ok(()),
            Region::Block(_) => Err(Code::CrossesRegion),
            Region::Sub(row) => returns(&mut self.arity[row], op),
        }
    }

    /// 4.5, 4: a use of a block.
    fn use_block(&mut self, at: usize, block: usize, height: u32, one: bool) -> Result<(), Code> {
        let Some((first_height, first_one, _)) = self.uses.get(&block) else {
            self.uses.insert(block, (height, one, at));
            self.queue.push_back(block);
            return Ok(());
        };
        if *first_height != height {
            return Err(Code::StackMismatch);
        }
        if *first_one != one {
            return Err(Code::BlockResult);
        }
        Ok(())
    }
}

/// Notes how a sub returns.
fn returns(arity: &mut Arity, op: &Op) -> Result<(), Code> {
    let found = match op {
        Op::ReturnValue => Arity::Value,
        _ => Arity::None,
    };
    if ![Arity::Never, found].contains(arity) {
        return Err(Code::ReturnMismatch);
    }
    *arity = found;
    Ok(())
}

/// 4.4: what is noted is the sub's row.
struct FindArity<'a> {
    sample: &'a Sample,
    segments: &'a Segments,
    arity: Arity,
}

impl Looker for FindArity<'_> {
    type Noted = usize;

    fn edge(
        &self,
        from: usize,
        to: usize,
        here: &usize,
        there: Option<&usize>,
    ) -> Result<bool, Wrong> {
        match there {
            Some(there) if there != here => Err((Code::CrossesRegion, Some(from))),
            _ => Ok(to < self.sample.ops.len()),
        }
    }

    fn segment_end(&self, at: usize) -> Option<usize> {
        self.segments.marks.get(&at)?.1
    }

    fn look(
        &mut self,
        at: usize,
        state: &usize,
        _: &BTreeMap<usize, usize>,
    ) -> Result<Option<usize>, Wrong> {
        let op = &self.sample.ops[at];
        if op.flow() == Flow::Return {
            returns(&mut self.arity, op).map_err(|code| (code, Some(at)))?;
            return Ok(None);
        }
        Ok(Some(*state))
    }
}

impl Looker for Model<'_> {
    type Noted = State;

    fn edge(
        &self,
        from: usize,
        to: usize,
        here: &State,
        there: Option<&State>,
    ) -> Result<bool, Wrong> {
        let wrong = |code| Err((code, Some(from)));
        if let Region::Block(block) = self.region {
            let (start, end) = self.sample.blocks[block];
            if to < start || to > end {
                return wrong(Code::CrossesRegion);
            }
            if to == end {
                if !self.at_entry && self.segments.of[from + 1] != self.segments.of[start] {
                    return wrong(Code::CrossesRegion);
                }
                if !here.scopes.is_empty() {
                    return wrong(Code::ScopeMismatch);
                }
                if self.uses[&block].1 && here.height != 1 {
                    return wrong(Code::BlockResult);
                }
                return Ok(false);
            }
        }
        if !self.at_entry && self.segments.of[from + 1] != self.segments.of[to] {
            return wrong(Code::CrossesRegion);
        }
        match there {
            Some(there) if there.region != here.region => wrong(Code::CrossesRegion),
            Some(there) if there.scopes != here.scopes => wrong(Code::ScopeMismatch),
            Some(there) if there.height != here.height => wrong(Code::StackMismatch),
            _ => Ok(to < self.sample.ops.len()),
        }
    }

    fn segment_end(&self, at: usize) -> Option<usize> {
        self.segments.marks.get(&at)?.1
    }

    fn look(
        &mut self,
        at: usize,
        state: &State,
        noted: &BTreeMap<usize, State>,
    ) -> Result<Option<State>, Wrong> {
        self.at_entry = false;
        let wrong = |code| (code, Some(at));
        let op = &self.sample.ops[at];
        let (pops, pushes) = self.effect(op).map_err(wrong)?;
        if state.height - state.base() < pops {
            return Err(wrong(Code::Underflow));
        }
        let mut after = state.clone();
        after.height = state.height - pops + pushes;
        self.height = self.height.max(after.height);
        if after.height > 65_535 {
            return Err(wrong(Code::StackTooHigh));
        }
        if op.flow() == Flow::Return {
            self.end_call(op).map_err(wrong)?;
            return Ok(None);
        }
        if *op == Op::PushFrame {
            after.scopes.push((at, after.height));
        }
        if *op == Op::PopFrame {
            let (opened, base) = after.scopes.pop().ok_or(wrong(Code::ScopeMismatch))?;
            if self.segments.of[opened] != self.segments.of[at] {
                return Err(wrong(Code::ScopeMismatch));
            }
            after.height = base;
        }
        if op.mark().is_some() {
            let opener = self.segments.marks.get(&at).map(|(opener, _)| opener);
            let opened = opener.and_then(|opener| noted.get(opener));
            if opened.is_none_or(|opened| opened.region != self.region) {
                return Err(wrong(Code::ScopeMismatch));
            }
        }
        if let Some((block, height, one)) = block_rule(op) {
            self.use_block(at, block, height, one).map_err(wrong)?;
        }
        Ok(Some(after))
    }
}

/// Compares the two verifiers; whether the code is strict.
fn compare(sample: &Sample) -> Result<bool, TestCaseError> {
    let mut model = Model::new(sample);
    let expected = model.verify();
    match sample.verify() {
        Err(error) => {
            prop_assert_eq!(expected, Err((error.code(), error.op())), "{}", error);
            let all = crate::verify::verify_all(&sample.view()).expect_err("it has errors");
            prop_assert_eq!(&all[0], &error);
            Ok(false)
        }
        Ok(shape) => {
            prop_assert_eq!(expected, Ok(()));
            prop_assert_eq!(shape.height(), model.height);
            for at in 0..sample.ops.len() {
                let state = model.noted.get(&at);
                prop_assert_eq!(shape.height_at(at), state.map(|state| state.height));
                let mut scopes = Vec::new();
                let mut scope = shape.scope_at(at);
                while let Some(index) = scope {
                    scopes.extend(shape.scopes()[index].opened_by);
                    scope = shape.scopes()[index].parent;
                }
                scopes.reverse();
                let open = state.map_or(vec![], |s| s.scopes.iter().map(|(op, _)| *op).collect());
                prop_assert_eq!(scopes, open);
            }
            let arities: Vec<_> = shape.subs().iter().map(|sub| sub.returns).collect();
            prop_assert_eq!(arities, model.arity);
            Ok(true)
        }
    }
}

/// An index that is in range of a table of three rows, but for one time in a hundred.
fn index() -> impl Strategy<Value = u16> {
    prop_oneof![99 => 0..3u16, 1 => Just(3)]
}

/// An operand of this kind in a chunk of so many ops.
fn operand(kind: OperandKind, ops: usize) -> BoxedStrategy<Operand> {
    match kind {
        OperandKind::Int => Just(Operand::Int(1)).boxed(),
        OperandKind::Float => Just(Operand::Float(1.0)).boxed(),
        OperandKind::Imm => Just(Operand::Imm(1)).boxed(),
        OperandKind::Payload => Just(Operand::Payload(1)).boxed(),
        OperandKind::Const => index().prop_map(Operand::Const).boxed(),
        OperandKind::Name => index().prop_map(Operand::Name).boxed(),
        OperandKind::Block => index().prop_map(Operand::Block).boxed(),
        OperandKind::Id => index().prop_map(Operand::Id).boxed(),
        OperandKind::Slot => (0..3u16).prop_map(Operand::Slot).boxed(),
        OperandKind::Count => (0..3u16).prop_map(Operand::Count).boxed(),
        OperandKind::Count8 => (0..3u8).prop_map(Operand::Count8).boxed(),
        OperandKind::Argc => (0..2u8).prop_map(Operand::Argc).boxed(),
        OperandKind::Code => (0..3u8).prop_map(Operand::Code).boxed(),
        OperandKind::Target => (0..ops + 1).prop_map(Operand::Target).boxed(),
    }
}

/// The op of a row with operands as above.
fn op_of_row(row: usize, ops: usize) -> BoxedStrategy<Op> {
    let info = &INFO[row];
    let operands: Vec<_> = info.operands.iter().map(|o| operand(o.kind, ops)).collect();
    let op = operands.prop_map(|operands| Op::from_operands(info.byte, &operands));
    op.prop_map(|op| op.expect("operands of its kinds")).boxed()
}

/// Ops that control turns on, with pushes and pops between them, and now and then any op.
fn any_op(ops: usize) -> BoxedStrategy<Op> {
    let rows_of = |family: &'static [&str]| {
        let rows: Vec<usize> = (0..INFO.len())
            .filter(|row| family.contains(&INFO[*row].name))
            .collect();
        prop::sample::select(rows).prop_flat_map(move |row| op_of_row(row, ops))
    };
    prop_oneof![
        9 => rows_of(&["LoadTrue", "LoadConst", "Nop", "GetSlot"]),
        3 => rows_of(&["Pop", "Inc", "Dup", "SetSlot"]),
        4 => rows_of(&["Jump", "JumpIfTrue", "JumpIfFalseKeep", "SlotLtIntJumpIfFalse"]),
        3 => rows_of(&["Return", "ReturnValue", "PushFrame", "PopFrame", "Call"]),
        2 => rows_of(&["PipelineBegin", "PipelineStage", "PipelineEnd", "SubshellBegin", "SubshellEnd", "RedirectMark", "RedirectPop"]),
        2 => rows_of(&["MapBlock", "SortBlock", "ForEachBlock", "CmdSubst", "CallBuiltin", "Extended"]),
        1 => (0..INFO.len()).prop_flat_map(move |row| op_of_row(row, ops)),
    ]
    .boxed()
}

/// A row for this kind and id.
fn any_import(kind: ImportKind, id: u16) -> impl Strategy<Value = ImportRow> {
    let effect = prop_oneof![
        8 => (0..3u8).prop_map(|pushes| Effect::Arguments { pushes }),
        8 => (0..2u8, 0..3u8).prop_map(|(pops, pushes)| Effect::Fixed { pops, pushes }),
        1 => Just(Effect::Unknown),
    ];
    let touches = prop_oneof![19 => Just(Touches::GLOBALS), 1 => Just(Touches::EVERYTHING)];
    (effect, touches).prop_map(move |(effect, touches)| ImportRow {
        kind,
        id,
        effect: match (kind, effect) {
            (ImportKind::ExtensionWide, Effect::Arguments { pushes }) => {
                Effect::Fixed { pops: 0, pushes }
            }
            _ => effect,
        },
        touches,
    })
}

/// Rows for all that ops name, but for a few that may be missing.
fn any_imports() -> impl Strategy<Value = Vec<ImportRow>> {
    let kinds = [
        ImportKind::Builtin,
        ImportKind::Extension,
        ImportKind::ExtensionWide,
        ImportKind::Function,
    ];
    let rows: Vec<_> = kinds
        .into_iter()
        .flat_map(|kind| (0..3).map(move |id| prop::option::weighted(0.98, any_import(kind, id))))
        .collect();
    rows.prop_map(|rows| rows.into_iter().flatten().collect())
}

prop_compose! {
    fn any_sample(most: usize)(count in 1..most)(
        ops in prop::collection::vec(any_op(count), count),
        subs in prop::collection::vec((0..3u16, 0..count, prop::option::of(0..2u8)), 0..3),
        blocks in prop::collection::vec((0..count + 1, 0..count + 1), 3),
        imports in any_imports(),
    ) -> Sample {
        Sample {
            ops,
            constants: 3,
            names: 3,
            subs: subs.into_iter().map(|(name, entry, argc)| Sub { name, entry, argc }).collect(),
            blocks: blocks.into_iter().map(|(a, b)| (a.min(b), a.max(b))).collect(),
            imports,
        }
    }
}

#[test]
fn two_verifiers_agree_on_random_code() {
    let mut strict = 0;
    for (seed, most, cases) in [(1, 6, 3_000), (2, 12, 3_000), (3, 40, 500)] {
        let config = ProptestConfig {
            cases,
            rng_seed: RngSeed::Fixed(seed),
            failure_persistence: None,
            ..ProptestConfig::default()
        };
        let mut runner = proptest::test_runner::TestRunner::new(config);
        let counted = std::cell::Cell::new(0);
        let result = runner.run(&any_sample(most), |sample| {
            counted.set(counted.get() + u32::from(compare(&sample)?));
            Ok(())
        });
        result.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        strict += counted.get();
    }
    assert!(strict > 300, "only {strict} of the samples were strict");
}
