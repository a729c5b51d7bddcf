//! Each rule with code that keeps it, and code that breaks it with its code and op.

use super::Sample;
use crate::{
    chunk::{ChunkBuilder, Effect, Import, ImportKind, Touches},
    code::Code,
    op::{INFO, Needs, Op, Operand, OperandKind, StackEffect},
    verify::{
        Arity, ImportRow, RegionKind, Verifier,
        step::{Class, STEPS, Step, number, slots},
        verify_all, verify_chunk,
    },
};
use Op::*;

/// Strict code has a shape.
#[track_caller]
fn passes(sample: Sample) -> crate::verify::Shape {
    sample.verify().unwrap_or_else(|error| panic!("{error}"))
}

/// Other code has an error with this code at this op.
#[track_caller]
fn fails(sample: Sample, code: Code, op: impl Into<Option<usize>>) {
    match sample.verify() {
        Ok(_) => panic!("{code} expected"),
        Err(error) => assert_eq!((error.code(), error.op()), (code, op.into()), "{error}"),
    }
}

fn row(kind: ImportKind, id: u16, effect: Effect) -> ImportRow {
    ImportRow {
        kind,
        id,
        effect,
        touches: Touches::GLOBALS,
    }
}

fn builtin(id: u16, effect: Effect) -> ImportRow {
    row(ImportKind::Builtin, id, effect)
}

const BY_ARGUMENTS: Effect = Effect::Arguments { pushes: 1 };

#[test]
fn sizes_are_within_the_limits() {
    let mut sample = Sample::new(vec![]);
    sample.constants = 65_536;
    passes(sample.clone());
    sample.constants += 1;
    fails(sample, Code::OverLimit, None);
}

#[test]
fn tables_are_checked_before_the_code() {
    let wrong = || Sample::new(vec![Pop]);
    fails(wrong(), Code::Underflow, 0);
    fails(wrong().sub(4, 0, None), Code::BadName, None);
    fails(wrong().sub(0, 1, None), Code::BadSub, None);
    fails(wrong().block(0, 2), Code::BadBlock, None);
    fails(wrong().block(1, 0), Code::BadBlock, None);
    passes(Sample::new(vec![Nop]).block(1, 1));
}

#[test]
fn imports_stand_in_order_and_make_sense() {
    let empty = || Sample::new(vec![]);
    let one = builtin(1, BY_ARGUMENTS);
    passes(empty().import(builtin(0, BY_ARGUMENTS)).import(one));
    fails(empty().import(one).import(one), Code::BadImport, None);
    fails(
        empty().import(one).import(builtin(0, BY_ARGUMENTS)),
        Code::BadImport,
        None,
    );
    let function = row(ImportKind::Function, 4, BY_ARGUMENTS);
    fails(empty().import(function), Code::BadName, None);
    let wide = row(ImportKind::ExtensionWide, 0, BY_ARGUMENTS);
    fails(empty().import(wide), Code::BadImport, None);
}

#[test]
fn operands_are_in_range_even_in_code_that_is_not_reached() {
    let behind = |op| Sample::new(vec![Jump(2), op]);
    passes(behind(LoadConst(1)));
    fails(behind(LoadConst(2)), Code::BadConstant, 1);
    passes(behind(GetVar(3)));
    fails(behind(GetVar(4)), Code::BadName, 1);
    fails(behind(Call(4, 0)), Code::BadName, 1);
    fails(behind(MapBlock(0)), Code::BadBlock, 1);
    passes(behind(Jump(2)));
    fails(behind(Jump(3)), Code::BadTarget, 1);
    fails(behind(Jump(usize::MAX)), Code::BadTarget, 1);
    passes(behind(SlotLtIntJumpIfFalse(u16::MAX, 0, 2)));
    fails(behind(SlotLtIntJumpIfFalse(0, 0, 3)), Code::BadTarget, 1);
    fails(behind(ConcatConstLoop(2, 0, 0, 0)), Code::BadConstant, 1);
    fails(behind(PushIntRangeLoop(4, 0, 0)), Code::BadName, 1);
    fails(behind(CallBuiltin(7, 0)), Code::BadImport, 1);
    fails(behind(Call(0, 0)), Code::BadImport, 1);
    fails(behind(ExtendedWide(0, 0)), Code::BadImport, 1);
}

#[test]
fn operands_come_before_the_flow() {
    fails(Sample::new(vec![Pop, LoadConst(9)]), Code::BadConstant, 1);
}

#[test]
fn heights_agree_where_paths_meet() {
    let branch = |op| {
        let other = LoadInt(1);
        Sample::new(vec![LoadTrue, JumpIfFalse(4), other, Jump(5), op, Pop])
    };
    passes(branch(LoadInt(2)));
    // The branch's target is looked at last, when op 5 has a height already.
    fails(branch(Nop), Code::StackMismatch, 4);
    let growing = Sample::new(vec![LoadTrue, Jump(0)]);
    fails(growing, Code::StackMismatch, 1);
}

#[test]
fn loops_tested_at_the_bottom_are_reached_by_their_back_edge() {
    let shape = passes(Sample::new(vec![
        Jump(3),
        LoadInt(1),
        Pop,
        LoadTrue,
        JumpIfTrue(1),
    ]));
    assert_eq!(shape.height(), 1);
    assert_eq!(shape.height_at(1), Some(0));
    assert_eq!(shape.height_at(4), Some(1));
    assert_eq!(shape.height_at(5), None);
}

#[test]
fn unreachable_code_has_no_height() {
    let shape = passes(Sample::new(vec![Return, Pop, Swap]));
    assert_eq!(shape.height_at(0), Some(0));
    assert_eq!(shape.height_at(1), None);
    assert_eq!(shape.region_at(2), None);
}

#[test]
fn ops_find_what_they_take() {
    passes(Sample::new(vec![LoadTrue, LoadTrue, Add]));
    fails(Sample::new(vec![LoadTrue, Add]), Code::Underflow, 1);
    passes(Sample::new(vec![LoadTrue, LoadTrue, MakeArray(2)]));
    fails(
        Sample::new(vec![LoadTrue, MakeArray(2)]),
        Code::Underflow,
        1,
    );
    fails(Sample::new(vec![Exec(1)]), Code::Underflow, 0);
    // Substitution takes name, pattern and replacement.
    let expand = |modifier| Sample::new(vec![LoadTrue, LoadTrue, ExpandParam(modifier)]);
    passes(expand(0));
    fails(expand(9), Code::Underflow, 2);
    fails(Sample::new(vec![ReturnValue]), Code::Underflow, 0);
}

#[test]
fn the_run_ends_at_the_end_with_any_height() {
    passes(Sample::new(vec![]));
    passes(Sample::new(vec![LoadTrue, LoadTrue]));
    passes(Sample::new(vec![LoadTrue, JumpIfTrue(3), LoadTrue]));
    passes(Sample::new(vec![PushFrame, LoadTrue]));
    passes(Sample::new(vec![
        LoadTrue,
        JumpIfTrue(3),
        Return,
        LoadTrue,
        ReturnValue,
    ]));
}

#[test]
fn scopes_nest() {
    let shape = passes(Sample::new(vec![
        LoadTrue,
        PushFrame,
        LoadTrue,
        SetSlot(2),
        LoadTrue,
        PushFrame,
        GetSlot(6),
        PopFrame,
        PopFrame,
        Pop,
    ]));
    let scopes: Vec<_> = shape
        .scopes()
        .iter()
        .map(|s| (s.base, s.depth, s.slots))
        .collect();
    assert_eq!(scopes, [(0, 0, 0), (1, 1, 3), (2, 2, 7)]);
    assert_eq!(
        shape.height_at(8),
        Some(2),
        "what was pushed within is dropped"
    );
    assert_eq!(shape.height_at(9), Some(1));
    assert_eq!(shape.scope_at(8), Some(1));
    fails(Sample::new(vec![PopFrame]), Code::ScopeMismatch, 0);
    fails(
        Sample::new(vec![LoadTrue, PushFrame, Pop]),
        Code::Underflow,
        2,
    );
}

#[test]
fn scopes_agree_where_paths_meet() {
    let branch = |op| Sample::new(vec![LoadTrue, JumpIfFalse(3), op, Nop]);
    passes(branch(Nop));
    fails(branch(PushFrame), Code::ScopeMismatch, 2);
    // Two scopes of one base are still two.
    let either = vec![
        LoadTrue,
        JumpIfFalse(4),
        PushFrame,
        Jump(5),
        PushFrame,
        PopFrame,
    ];
    fails(Sample::new(either), Code::ScopeMismatch, 4);
    passes(Sample::new(vec![PushFrame, PopFrame, Jump(0)]));
    fails(
        Sample::new(vec![PushFrame, Jump(0)]),
        Code::ScopeMismatch,
        1,
    );
}

#[test]
fn calls_fit_the_sub() {
    let ops = |first, second| {
        vec![
            LoadTrue,
            Call(0, first),
            Pop,
            LoadTrue,
            Call(0, second),
            Jump(7),
            ReturnValue,
        ]
    };
    let shape = passes(Sample::new(ops(1, 1)).sub(0, 6, None));
    assert_eq!(
        (shape.subs()[0].argc, shape.subs()[0].returns),
        (1, Arity::Value)
    );
    assert_eq!(shape.height_at(6), Some(1));
    fails(
        Sample::new(ops(1, 0)).sub(0, 6, None),
        Code::ArityMismatch,
        4,
    );
    fails(
        Sample::new(ops(1, 1)).sub(0, 6, Some(2)),
        Code::ArityMismatch,
        1,
    );
    // The first call counts even where it isn't reached.
    let behind = vec![Jump(2), Call(0, 1), Call(0, 0), Jump(5), Return];
    fails(Sample::new(behind).sub(0, 4, None), Code::ArityMismatch, 2);
    let uncalled = passes(Sample::new(vec![Jump(2), Return]).sub(0, 1, None));
    assert_eq!(uncalled.subs()[0].argc, 0);
    fails(
        Sample::new(vec![Jump(2), Pop]).sub(0, 1, None),
        Code::Underflow,
        1,
    );
    passes(Sample::new(vec![Jump(2), Pop]).sub(0, 1, Some(1)));
}

#[test]
fn calls_leave_what_the_sub_returns() {
    let ops = |end| vec![Call(0, 0), Pop, Jump(5), LoadTrue, end];
    passes(Sample::new(ops(ReturnValue)).sub(0, 3, None));
    fails(Sample::new(ops(Return)).sub(0, 3, None), Code::Underflow, 1);
    // A sub without a return leaves nothing.
    fails(
        Sample::new(ops(Jump(3))).sub(0, 3, None),
        Code::Underflow,
        1,
    );
    let never = passes(Sample::new(vec![Call(0, 0), Jump(3), Jump(2)]).sub(0, 2, None));
    assert_eq!(never.subs()[0].returns, Arity::Never);
}

#[test]
fn the_first_of_two_subs_of_a_name_is_called() {
    let ops = vec![Call(0, 0), Pop, Jump(6), LoadTrue, ReturnValue, Return];
    passes(Sample::new(ops).sub(0, 3, None).sub(0, 5, None));
}

#[test]
fn a_sub_returns_in_one_way() {
    let body = |end| vec![Jump(6), LoadTrue, JumpIfTrue(4), Return, LoadTrue, end];
    passes(Sample::new(body(Return)).sub(0, 1, None));
    fails(
        Sample::new(body(ReturnValue)).sub(0, 1, None),
        Code::ReturnMismatch,
        5,
    );
    let mut called = body(ReturnValue);
    called.push(Call(0, 0));
    fails(Sample::new(called).sub(0, 1, None), Code::ReturnMismatch, 5);
    // Leftovers are dropped, scopes closed.
    passes(Sample::new(vec![Jump(4), PushFrame, LoadTrue, Return]).sub(0, 1, None));
    // The end of the ops is the end of the run, and no return.
    passes(Sample::new(vec![Jump(4), LoadTrue, JumpIfTrue(4), Return]).sub(0, 1, None));
}

#[test]
fn regions_have_their_own_ops() {
    fails(
        Sample::new(vec![Nop, Return]).sub(0, 1, None),
        Code::CrossesRegion,
        1,
    );
    let into = vec![Jump(3), Nop, Return, Jump(2)];
    fails(Sample::new(into).sub(0, 1, None), Code::CrossesRegion, 1);
    let same = vec![Jump(2), Return];
    fails(
        Sample::new(same.clone()).sub(0, 1, None).sub(1, 1, None),
        Code::CrossesRegion,
        1,
    );
    // For called subs that is found with their arity, by the edge that leads over.
    let called = vec![Call(0, 0), Call(1, 0), Jump(5), Nop, Return];
    fails(
        Sample::new(called).sub(0, 3, None).sub(1, 4, None),
        Code::CrossesRegion,
        4,
    );
}

#[test]
fn imported_calls_do_what_the_import_says() {
    let call =
        |effect| Sample::new(vec![LoadTrue, CallBuiltin(0, 1), Pop]).import(builtin(0, effect));
    passes(call(BY_ARGUMENTS));
    fails(call(Effect::Arguments { pushes: 0 }), Code::Underflow, 2);
    fails(
        call(Effect::Fixed { pops: 2, pushes: 1 }),
        Code::Underflow,
        1,
    );
    fails(call(Effect::Unknown), Code::UnknownEffect, 1);
    let frames = |effect| {
        let mut row = builtin(0, effect);
        row.touches = Touches::FRAMES;
        Sample::new(vec![CallBuiltin(0, 0)]).import(row)
    };
    fails(frames(BY_ARGUMENTS), Code::TouchesFrames, 0);
    fails(frames(Effect::Unknown), Code::UnknownEffect, 0);
    // What isn't reached isn't called.
    passes(Sample::new(vec![Jump(2), CallBuiltin(0, 0)]).import(builtin(0, Effect::Unknown)));
    let others = vec![Extended(0, 0), ExtendedWide(1, 9), Call(2, 0), Pop];
    let fixed = Effect::Fixed { pops: 0, pushes: 0 };
    passes(
        Sample::new(others)
            .import(row(ImportKind::Extension, 0, fixed))
            .import(row(ImportKind::ExtensionWide, 1, fixed))
            .import(row(ImportKind::Function, 2, BY_ARGUMENTS)),
    );
}

/// A main program that uses block 0 and jumps around its op.
fn block(user: Op, body: Op) -> Sample {
    Sample::new(vec![LoadTrue, user, Jump(4), body]).block(3, 4)
}

#[test]
fn blocks_begin_with_their_elements_and_leave_their_result() {
    let shape = passes(block(MapBlock(0), Inc));
    let region = shape.regions()[shape.region_of_block(0).expect("it is used")];
    assert_eq!(
        (region.kind, region.entry_height),
        (RegionKind::Block(0), 1)
    );
    assert_eq!(shape.height_at(3), Some(1));
    passes(block(GrepBlock(0), LogNot));
    passes(block(SortBlock(0), Spaceship));
    passes(block(ForEachBlock(0), Nop));
    passes(block(ForEachBlock(0), Pop));
    passes(block(ForEachBlock(0), Dup));
    passes(block(CmdSubst(0), LoadTrue));
    passes(block(TrapSet(0), Nop));
    fails(block(MapBlock(0), Pop), Code::BlockResult, 3);
    fails(block(GrepBlock(0), Dup), Code::BlockResult, 3);
    fails(block(SortBlock(0), Inc), Code::BlockResult, 3);
    fails(block(ForEachBlock(0), Add), Code::Underflow, 3);
    fails(block(ProcessSubIn(0), Pop), Code::Underflow, 3);
    // A jump to its end ends it.
    passes(block(MapBlock(0), Jump(4)));
    // An empty one leaves what it got.
    passes(Sample::new(vec![LoadTrue, MapBlock(0)]).block(2, 2));
    fails(
        Sample::new(vec![LoadTrue, SortBlock(0)]).block(2, 2),
        Code::BlockResult,
        1,
    );
}

#[test]
fn control_stays_in_its_block() {
    fails(block(ForEachBlock(0), Return), Code::CrossesRegion, 3);
    fails(block(ForEachBlock(0), ReturnValue), Code::CrossesRegion, 3);
    fails(block(ForEachBlock(0), Jump(0)), Code::CrossesRegion, 3);
    fails(
        block(ForEachBlock(0), JumpIfTrue(2)),
        Code::CrossesRegion,
        3,
    );
    fails(block(ForEachBlock(0), PushFrame), Code::ScopeMismatch, 3);
    fails(block(ForEachBlock(0), PopFrame), Code::ScopeMismatch, 3);
    // Main comes to the block's ops first: the block then begins in its code.
    let falls = Sample::new(vec![LoadTrue, MapBlock(0), Nop, Nop]).block(2, 3);
    fails(falls, Code::CrossesRegion, 1);
}

#[test]
fn blocks_nest_and_are_shared_by_equal_uses() {
    let nested = vec![
        LoadTrue,
        MapBlock(0),
        Jump(7),
        MapBlock(1),
        Jump(6),
        Inc,
        Nop,
    ];
    let shape = passes(Sample::new(nested).block(3, 7).block(5, 6));
    assert_eq!(shape.regions().len(), 3);
    let twice = |second| {
        Sample::new(vec![
            LoadTrue,
            MapBlock(0),
            Pop,
            LoadTrue,
            second,
            Jump(7),
            Nop,
        ])
        .block(6, 7)
    };
    passes(twice(GrepBlock(0)));
    fails(twice(SortBlock(0)), Code::StackMismatch, 4);
    fails(twice(TrapSet(0)), Code::StackMismatch, 4);
    fails(twice(ForEachBlock(0)), Code::BlockResult, 4);
}

#[test]
fn blocks_that_no_one_uses_are_not_looked_at() {
    let shape = passes(Sample::new(vec![Jump(2), Pop, Nop]).block(1, 2).block(0, 3));
    assert_eq!(shape.region_of_block(0), None);
    assert_eq!(shape.region_of_block(9), None);
}

#[test]
fn heights_have_a_limit() {
    let mut ops = vec![LoadTrue; 65_535];
    assert_eq!(passes(Sample::new(ops.clone())).height(), 65_535);
    ops.push(LoadTrue);
    fails(Sample::new(ops), Code::StackTooHigh, 65_535);
    let wide = Effect::Fixed {
        pops: 0,
        pushes: 255,
    };
    let calls = vec![CallBuiltin(0, 0); 300];
    fails(
        Sample::new(calls).import(builtin(0, wide)),
        Code::StackTooHigh,
        257,
    );
}

#[test]
fn scopes_have_a_limit() {
    let mut ops = vec![PushFrame; 65_535];
    passes(Sample::new(ops.clone()));
    ops.push(PushFrame);
    fails(Sample::new(ops), Code::StackTooHigh, 65_535);
}

#[test]
fn pairs_nest_at_equal_heights() {
    let pipeline = vec![
        PipelineBegin(2),
        SubshellBegin,
        LoadTrue,
        SetStatus,
        SubshellEnd,
        PipelineStage,
        RedirectMark,
        RedirectPop,
        PipelineEnd,
        SetStatus,
    ];
    passes(Sample::new(pipeline));
    // A body that never comes to its end is skipped all the same.
    let shape = passes(Sample::new(vec![SubshellBegin, Return, SubshellEnd, Nop]));
    assert_eq!(shape.height_at(3), Some(0));
    for alone in [
        SubshellBegin,
        SubshellEnd,
        PipelineBegin(1),
        PipelineStage,
        PipelineEnd,
        RedirectMark,
        RedirectPop,
    ] {
        fails(Sample::new(vec![Nop, alone]), Code::ScopeMismatch, 1);
    }
    let too_few = vec![PipelineBegin(2), PipelineEnd];
    fails(Sample::new(too_few), Code::ScopeMismatch, 0);
    let uneven = vec![SubshellBegin, LoadTrue, SubshellEnd];
    fails(Sample::new(uneven), Code::StackMismatch, 1);
    let open = vec![SubshellBegin, PushFrame, SubshellEnd];
    fails(Sample::new(open), Code::ScopeMismatch, 1);
    let outer = vec![PushFrame, SubshellBegin, PopFrame, PushFrame, SubshellEnd];
    fails(Sample::new(outer), Code::ScopeMismatch, 2);
}

#[test]
fn no_path_crosses_the_border_of_a_pair() {
    let out = vec![SubshellBegin, Jump(3), SubshellEnd, Nop];
    fails(Sample::new(out), Code::CrossesRegion, 1);
    let past = vec![SubshellBegin, LoadTrue, JumpIfTrue(4), SubshellEnd];
    fails(Sample::new(past), Code::CrossesRegion, 2);
    let inwards = vec![Jump(2), RedirectMark, Nop, RedirectPop];
    fails(Sample::new(inwards), Code::CrossesRegion, 0);
    let on = vec![PipelineBegin(2), Jump(3), PipelineStage, Nop, PipelineEnd];
    fails(Sample::new(on), Code::CrossesRegion, 1);
    let back = vec![PipelineBegin(2), PipelineStage, Jump(1), PipelineEnd];
    fails(Sample::new(back), Code::CrossesRegion, 2);
    let within = vec![SubshellBegin, LoadTrue, JumpIfTrue(3), SubshellEnd];
    passes(Sample::new(within));
    // A sub may lie within a subshell, but not run into its end.
    let sub = |last| {
        let ops = vec![SubshellBegin, Jump(4), Nop, last, Call(0, 0), SubshellEnd];
        Sample::new(ops).sub(0, 2, None)
    };
    passes(sub(Return));
    fails(sub(Jump(5)), Code::CrossesRegion, 3);
}

#[test]
fn needs_are_those_of_ops_that_are_reached() {
    let needs = passes(Sample::new(vec![
        LoadTrue,
        TestFile(0),
        Jump(5),
        LoadTrue,
        Redirect(1, 0),
        LoadTrue,
        Redirect(0, 2),
    ]))
    .needs();
    assert!(needs.contains(Needs::Read) && !needs.contains(Needs::Write));
    assert!(!needs.contains(Needs::Exec) && !needs.contains(Needs::Env));
    assert!(passes(Sample::new(vec![LoadTrue])).needs().is_empty());
    assert!(
        passes(Sample::new(vec![Exec(0)]))
            .needs()
            .contains(Needs::Exec)
    );
}

#[test]
fn a_check_finds_errors_behind_the_first() {
    let ops = vec![LoadTrue, JumpIfTrue(3), Pop, PopFrame];
    let errors = verify_all(&Sample::new(ops).view()).expect_err("it is wrong");
    let found: Vec<_> = errors.iter().map(|e| (e.code(), e.op())).collect();
    assert_eq!(
        found,
        [(Code::Underflow, Some(2)), (Code::ScopeMismatch, Some(3))]
    );
    let many = verify_all(&Sample::new(vec![LoadConst(7); 1000]).view());
    assert_eq!(many.expect_err("it is wrong").len(), 100);
}

#[test]
fn an_error_says_where_and_what() {
    let error = Sample::new(vec![LoadTrue, Add])
        .verify()
        .expect_err("underflow");
    assert_eq!(
        error.to_string(),
        "E0211: an op takes more than is on the stack, at op 1 (add): 2 of 1 values in its scope"
    );
}

#[test]
fn chunks_are_verified_with_their_import_table() {
    let mut b = ChunkBuilder::new();
    let (sub, function) = (b.add_name("sub"), b.add_name("function"));
    b.emit(LoadTrue, 1);
    b.emit(Call(sub, 1), 1);
    b.emit(Call(function, 1), 1);
    b.emit(CallBuiltin(3, 1), 1);
    b.emit(Jump(6), 1);
    b.emit(ReturnValue, 1);
    b.add_sub_entry(sub, 5);
    b.declare_argc(sub, 1);
    let mut unknown = Import::undeclared(ImportKind::Function, 0, "function");
    let chunk = b.build();
    assert_eq!(verify_chunk(&chunk).map(|shape| shape.height()), Ok(1));
    unknown.effect = Effect::Unknown;
    let mut loose = chunk;
    loose.imports.push(unknown);
    let error = verify_chunk(&loose).expect_err("its effect is unknown");
    assert_eq!((error.code(), error.op()), (Code::UnknownEffect, Some(2)));
}

/// An operand of this kind, different from 0 where a number has a meaning.
fn operand(kind: OperandKind) -> Operand {
    match kind {
        OperandKind::Int => Operand::Int(5),
        OperandKind::Float => Operand::Float(0.5),
        OperandKind::Const => Operand::Const(1),
        OperandKind::Name => Operand::Name(1),
        OperandKind::Slot => Operand::Slot(7),
        OperandKind::Block => Operand::Block(0),
        OperandKind::Count => Operand::Count(3),
        OperandKind::Count8 => Operand::Count8(3),
        OperandKind::Argc => Operand::Argc(3),
        OperandKind::Code => Operand::Code(1),
        OperandKind::Id => Operand::Id(0),
        OperandKind::Imm => Operand::Imm(4),
        OperandKind::Target => Operand::Target(2),
        OperandKind::Payload => Operand::Payload(6),
    }
}

#[test]
fn packed_steps_say_what_the_table_says() {
    for info in &INFO {
        let operands: Vec<_> = info.operands.iter().map(|o| operand(o.kind)).collect();
        let op = Op::from_operands(info.byte, &operands).expect("operands of its kinds");
        let row = STEPS[usize::from(info.byte)];
        let step = match row.class() {
            Class::Declared => {
                assert_eq!(op.effect(), StackEffect::Declared, "{op:?}");
                continue;
            }
            Class::Computed => Step::compute(&op),
            _ => row.with_number(number(&op)),
        };
        let (pops, pushes) = (step.pops(), step.pushes());
        assert_eq!(op.effect(), StackEffect::Fixed { pops, pushes }, "{op:?}");
        match step.class() {
            Class::Jump | Class::Branch => assert_eq!(step.top(), 2, "{op:?}"),
            Class::SlotBranch => {}
            _ => assert_eq!(step.top(), slots(&op), "{op:?}"),
        }
        let needs = crate::verify::shape::need_bit(op.needs());
        assert_eq!(step.needs(), needs, "{op:?}");
        let has_block = info.operands.iter().any(|o| o.kind == OperandKind::Block);
        assert_eq!(step.class() == Class::Block, has_block, "{op:?}");
        let uses_block = crate::verify::flow::block_use(&op).is_some();
        assert_eq!(uses_block, has_block, "{op:?}");
    }
}

#[test]
fn the_memory_can_be_used_again() {
    let mut verifier = Verifier::new();
    for sample in [
        block(MapBlock(0), Inc),
        Sample::new(vec![Pop]),
        Sample::new(vec![Call(0, 0), Jump(3), Return]).sub(0, 2, None),
        Sample::new(vec![LoadTrue]),
    ] {
        let found = verifier.verify(&sample.view()).cloned();
        assert_eq!(found, sample.verify());
    }
}
