//! Whether time and memory stay linear in the worst code, and whether no code makes the verifier
//! panic. A quadratic stage wouldn't come to an end here.

use super::Sample;
use crate::{
    chunk::{Effect, ImportKind, Touches},
    code::Code,
    op::{INFO, Op, Operand, OperandKind},
    verify::{ImportRow, Sub, verify_all},
};
use Op::*;
use proptest::{prelude::*, test_runner::RngSeed};

const MANY: usize = 1 << 20;

#[track_caller]
fn passes(sample: &Sample) {
    if let Err(error) = sample.verify() {
        panic!("{error}");
    }
}

#[test]
fn branches_to_everywhere() {
    // Behind the push every height is 1.
    let branch = |at: usize| JumpIfTrueKeep(1 + at * 7 % (MANY - 1));
    let ops = std::iter::once(LoadTrue).chain((1..MANY).map(branch));
    passes(&Sample::new(ops.collect()));
}

#[test]
fn jumps_back_all_the_way() {
    // Each op but the first is reached from the one behind it.
    let mut ops = vec![Jump(MANY - 1)];
    ops.push(Jump(MANY));
    ops.extend((2..MANY).map(|at| Jump(at - 1)));
    passes(&Sample::new(ops));
}

#[test]
fn every_op_branches_to_the_last() {
    let mut ops = vec![SlotLtIntJumpIfFalse(0, 0, MANY - 1); MANY - 1];
    ops.push(Return);
    passes(&Sample::new(ops));
}

#[test]
fn scopes_open_and_close_without_end() {
    let pair = || [PushFrame, PopFrame];
    passes(&Sample::new((0..MANY / 2).flat_map(|_| pair()).collect()));
    let mut deep = vec![PushFrame; 60_000];
    deep.extend((60_000..MANY).map(|at| SlotLtIntJumpIfFalse(0, 0, at + 1)));
    passes(&Sample::new(deep));
}

#[test]
fn many_subs_share_code_or_names() {
    // All subs lead to the same run of ops, which belongs to the first.
    let count = 60_000;
    let mut sample = Sample::new(vec![Jump(count + 1); count + 1]);
    sample.ops.extend(vec![Nop; MANY - count]);
    sample.subs.extend((0..count).map(|i| Sub {
        name: 0,
        entry: i + 1,
        argc: None,
    }));
    sample.ops[0] = Call(0, 0);
    let errors = verify_all(&sample.view()).expect_err("code is shared");
    assert_eq!(errors.len(), 100);
    assert_eq!(errors[0].code(), Code::CrossesRegion);
    // As many names, and a call for each.
    let mut sample = Sample::new((0..count).map(|i| Call(i as u16, 0)).collect());
    sample.names = count;
    sample.ops.push(Jump(2 * count + 1));
    sample.ops.extend(vec![Return; count]);
    let sub = |i: usize| Sub {
        name: i as u16,
        entry: count + 1 + i,
        argc: None,
    };
    sample.subs.extend((0..count).map(sub));
    passes(&sample);
}

#[test]
fn blocks_nest_deeply() {
    // Block i: `map_block i+1`, a jump behind the next, and the next.
    let depth = 60_000;
    let mut sample = Sample::new(vec![LoadTrue]);
    let end = 1 + 2 * depth;
    for block in 0..depth {
        sample.ops.push(MapBlock(block as u16));
        sample.ops.push(Jump(end));
        sample.blocks.push((3 + 2 * block, end));
    }
    passes(&sample);
}

#[test]
fn every_op_calls_a_row_of_a_full_import_table() {
    let rows = (0..=u16::MAX).map(|id| ImportRow {
        kind: ImportKind::Builtin,
        id,
        effect: Effect::Arguments { pushes: 0 },
        touches: Touches::ARGUMENTS,
    });
    let mut sample = Sample::new((0..MANY).map(|at| CallBuiltin(at as u16, 0)).collect());
    sample.imports.extend(rows);
    passes(&sample);
}

fn operand(kind: OperandKind) -> BoxedStrategy<Operand> {
    // Mostly near the tables' ends.
    let small = || prop_oneof![9 => 0..20u16, 1 => any::<u16>()];
    let byte = || prop_oneof![9 => 0..4u8, 1 => any::<u8>()];
    let wide = || prop_oneof![9 => 0..40usize, 1 => any::<usize>()];
    match kind {
        OperandKind::Int => any::<i64>().prop_map(Operand::Int).boxed(),
        OperandKind::Float => any::<f64>().prop_map(Operand::Float).boxed(),
        OperandKind::Const => small().prop_map(Operand::Const).boxed(),
        OperandKind::Name => small().prop_map(Operand::Name).boxed(),
        OperandKind::Slot => small().prop_map(Operand::Slot).boxed(),
        OperandKind::Block => small().prop_map(Operand::Block).boxed(),
        OperandKind::Count => small().prop_map(Operand::Count).boxed(),
        OperandKind::Id => small().prop_map(Operand::Id).boxed(),
        OperandKind::Count8 => byte().prop_map(Operand::Count8).boxed(),
        OperandKind::Argc => byte().prop_map(Operand::Argc).boxed(),
        OperandKind::Code => byte().prop_map(Operand::Code).boxed(),
        OperandKind::Imm => any::<i32>().prop_map(Operand::Imm).boxed(),
        OperandKind::Target => wide().prop_map(Operand::Target).boxed(),
        OperandKind::Payload => wide().prop_map(Operand::Payload).boxed(),
    }
}

fn any_op() -> impl Strategy<Value = Op> {
    (0..INFO.len()).prop_flat_map(|row| {
        let info = &INFO[row];
        let operands: Vec<_> = info.operands.iter().map(|o| operand(o.kind)).collect();
        operands.prop_map(|operands| {
            Op::from_operands(info.byte, &operands).expect("operands of its kinds")
        })
    })
}

prop_compose! {
    fn anything()(
        ops in prop::collection::vec(any_op(), 0..40),
        constants in 0..20usize,
        names in 0..20usize,
        subs in prop::collection::vec((any::<u8>(), 0..60usize, any::<Option<u8>>()), 0..4),
        blocks in prop::collection::vec((0..50usize, 0..50usize), 0..20),
        imports in prop::collection::vec((any::<u8>(), 0..20u16, any::<u8>()), 0..20),
    ) -> Sample {
        let kinds = [ImportKind::Builtin, ImportKind::Extension, ImportKind::ExtensionWide];
        let mut imports: Vec<ImportRow> = imports.into_iter().map(|(kind, id, pushes)| ImportRow {
            kind: *kinds.get(usize::from(kind % 4)).unwrap_or(&ImportKind::Function),
            id,
            effect: Effect::Fixed { pops: pushes / 2, pushes },
            touches: Touches::GLOBALS,
        }).collect();
        imports.sort_by_key(|row| (row.kind, row.id));
        let subs = subs.into_iter();
        let sub = |(name, entry, argc)| Sub { name: u16::from(name % 20), entry, argc };
        Sample { ops, constants, names, subs: subs.map(sub).collect(), blocks, imports }
    }
}

#[test]
fn no_code_makes_it_panic() {
    let config = ProptestConfig {
        cases: 10_000,
        rng_seed: RngSeed::Fixed(4),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let result = runner.run(&anything(), |sample| {
        let once = sample.verify();
        prop_assert_eq!(&once, &sample.verify());
        let all = verify_all(&sample.view());
        prop_assert_eq!(
            once.map_err(|e| vec![e]),
            all.map_err(|e| vec![e[0].clone()])
        );
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}
