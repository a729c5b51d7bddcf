//! Ops that run blocks.

use super::*;
use Op::*;

/// A chunk with blocks 0, 1, ... that stand behind `main`.
pub(super) fn with_blocks(main: &[Op], blocks: &[&[Op]]) -> Chunk {
    let mut b = ChunkBuilder::new();
    emit_all(&mut b, main);
    let over = b.emit(Jump(0), 0);
    for ops in blocks {
        let start = b.current_pos();
        emit_all(&mut b, ops);
        b.add_block_range(start, b.current_pos());
    }
    b.patch_jump(over, b.current_pos());
    b.build()
}

fn run(main: &[Op], blocks: &[&[Op]]) -> Value {
    let mut vm = quiet(with_blocks(main, blocks));
    vm.execute().expect("no trap").unwrap_or_default()
}

const ONE_TO_FIVE: [Op; 3] = [LoadInt(1), LoadInt(5), Range];

fn on_one_to_five(op: Op, block: &[Op]) -> Value {
    run(&[&ONE_TO_FIVE[..], &[op]].concat(), &[block])
}

#[test]
fn map_collects_results() {
    let squares = on_one_to_five(MapBlock(0), &[Dup, Mul]);
    assert_eq!(squares.to_str(), "1 4 9 16 25");
    assert_eq!(on_one_to_five(MapBlock(0), &[]).to_str(), "1 2 3 4 5");
}

#[test]
fn grep_keeps_what_holds() {
    let even = [LoadInt(2), Mod, LogNot];
    assert_eq!(on_one_to_five(GrepBlock(0), &even).to_str(), "2 4");
}

#[test]
fn for_each_shares_the_frame() {
    let sum = [GetSlot(0), Add, SetSlot(0)];
    let main = [
        LoadInt(0),
        SetSlot(0),
        LoadInt(1),
        LoadInt(5),
        Range,
        ForEachBlock(0),
        GetSlot(0),
    ];
    assert_eq!(run(&main, &[&sum]), Value::Int(15));
}

#[test]
fn a_sort_is_stable_and_by_the_block() {
    // By the tens alone, so that 12 and 11 keep their order.
    let by_tens = [
        LoadInt(10),
        Div,
        Inc,
        Swap,
        LoadInt(10),
        Div,
        Inc,
        Swap,
        Spaceship,
    ];
    let mut main: Vec<Op> = [32, 12, 31, 11, 22, 5].map(LoadInt).to_vec();
    main.extend([MakeArray(6), SortBlock(0)]);
    assert_eq!(run(&main, &[&by_tens]).to_str(), "5 12 11 22 32 31");
    let mut descending = vec![LoadInt(1), LoadInt(100), Range];
    descending.extend([SortBlock(0), LoadInt(0), Pop]);
    let sorted = run(&descending, &[&[Swap, Spaceship]]);
    assert!(sorted.to_str().starts_with("100 99 98 97"));
}

#[test]
fn a_sort_asks_in_the_order_that_is_specified() {
    let note = [Dup2, Concat, ArrayPush(0), Spaceship];
    let mut b = ChunkBuilder::new();
    b.add_name("asked");
    emit_all(&mut b, &[DeclareArray(0)]);
    emit_all(&mut b, &[3, 1, 2, 5, 4].map(LoadInt));
    emit_all(&mut b, &[MakeArray(5), SortBlock(0), Pop, GetArray(0)]);
    let over = b.emit(Jump(0), 0);
    let start = b.current_pos();
    emit_all(&mut b, &note);
    b.add_block_range(start, b.current_pos());
    b.patch_jump(over, b.current_pos());
    let asked = quiet(b.build())
        .execute()
        .expect("no trap")
        .expect("a list");
    // Runs of 1: 3|1, 2|5, 4. Of 2: 1 3|2 5, 4. Of 4: 1 2 3 5|4.
    assert_eq!(asked.to_str(), "31 25 12 32 35 14 24 34 54");
}

#[test]
fn answers_that_contradict_each_other_are_no_problem() {
    let always = [Pop, Pop, LoadInt(1)];
    let sorted = on_one_to_five(SortBlock(0), &always);
    assert_eq!(sorted.to_str(), "5 4 3 2 1");
    let nan = [Pop, Pop, LoadFloat(f64::NAN)];
    assert_eq!(on_one_to_five(SortBlock(0), &nan).to_str(), "1 2 3 4 5");
}

#[test]
fn blocks_nest() {
    let inner = [LoadInt(10), Mul];
    let outer = [
        LoadInt(2),
        Swap,
        LoadInt(1),
        Swap,
        Range,
        MapBlock(1),
        MakeArray(1),
    ];
    // Each element n: the range from 1 to n mapped by 10, in a list of its own.
    let value = run(
        &[&ONE_TO_FIVE[..], &[MapBlock(0)]].concat(),
        &[&outer[2..], &inner],
    );
    assert_eq!(
        value.to_str(),
        "10 10 20 10 20 30 10 20 30 40 10 20 30 40 50"
    );
}

#[test]
fn blocks_call_subs_that_run_blocks() {
    let mut b = ChunkBuilder::new();
    let sub = b.add_name("sum");
    emit_all(&mut b, &ONE_TO_FIVE);
    emit_all(&mut b, &[MapBlock(0)]);
    let over = b.emit(Jump(0), 0);
    let block = b.current_pos();
    emit_all(&mut b, &[Call(sub, 1), LoadInt(100), Add]);
    b.add_block_range(block, b.current_pos());
    b.add_sub_entry(sub, b.current_pos());
    emit_all(
        &mut b,
        &[
            LoadInt(1),
            Swap,
            Range,
            ForEachBlock(1),
            GetSlot(0),
            ReturnValue,
        ],
    );
    let block = b.current_pos();
    emit_all(&mut b, &[GetSlot(0), Add, SetSlot(0)]);
    b.add_block_range(block, b.current_pos());
    b.patch_jump(over, b.current_pos());
    let result = quiet(b.build())
        .execute()
        .expect("no trap")
        .expect("a list");
    assert_eq!(result.to_str(), "101 103 106 110 115");
}

#[test]
fn a_return_in_a_block_ends_the_call_around_it() {
    let mut b = ChunkBuilder::new();
    let sub = b.add_name("first_even");
    emit_all(&mut b, &ONE_TO_FIVE);
    emit_all(&mut b, &[MapBlock(0)]);
    let over = b.emit(Jump(0), 0);
    let block = b.current_pos();
    emit_all(&mut b, &[Call(sub, 1)]);
    b.add_block_range(block, b.current_pos());
    b.add_sub_entry(sub, b.current_pos());
    emit_all(
        &mut b,
        &[
            Dup,
            LoadInt(5),
            Range,
            ForEachBlock(1),
            LoadInt(-1),
            ReturnValue,
        ],
    );
    let block = b.current_pos();
    let at = block + 5;
    emit_all(
        &mut b,
        &[
            Dup,
            LoadInt(2),
            Mod,
            JumpIfTrue(at + 1),
            ReturnValue,
            Nop,
            Pop,
        ],
    );
    b.add_block_range(block, b.current_pos());
    b.patch_jump(over, b.current_pos());
    let result = quiet(b.build())
        .execute()
        .expect("no trap")
        .expect("a list");
    assert_eq!(result.to_str(), "2 2 4 4 -1");
}

#[test]
fn what_is_no_array_is_left_alone() {
    let trap = [Call(0, 0)];
    for op in [MapBlock(0), GrepBlock(0), SortBlock(0)] {
        assert_eq!(run(&[LoadInt(7), op], &[&trap]), Value::Int(7));
    }
    assert_eq!(
        run(&[LoadInt(1), LoadInt(7), ForEachBlock(0)], &[&trap]),
        Value::Int(1)
    );
    for op in [MapBlock(0), GrepBlock(0), SortBlock(0)] {
        assert_eq!(run(&[MakeArray(0), op], &[&trap]), Value::array(Vec::new()));
    }
}

#[test]
fn each_run_of_a_block_costs_a_unit() {
    let fuel =
        |op: Op, block: &[Op]| fuel_of(&with_blocks(&[&ONE_TO_FIVE[..], &[op]].concat(), &[block]));
    assert_eq!(fuel(MapBlock(0), &[]), 5);
    assert_eq!(fuel(ForEachBlock(0), &[Pop]), 5);
    assert_eq!(fuel(GrepBlock(0), &[]), 5);
    // 1|2, 3|4 then 1|3, 2|3 then 1|5, 2|5, 3|5, 4|5.
    assert_eq!(fuel(SortBlock(0), &[Spaceship]), 8);
}

#[test]
fn blocks_end_at_their_end() {
    let out = with_blocks(&[&ONE_TO_FIVE[..], &[MapBlock(0)]].concat(), &[&[Jump(0)]]);
    let trap = quiet(out).execute().unwrap_err();
    assert_eq!(trap.code(), Code::BlockFailed);
    assert_eq!(trap.site().mnemonic, Some("jump"));
    let missing = with_blocks(&[&ONE_TO_FIVE[..], &[MapBlock(3)]].concat(), &[]);
    assert_eq!(
        quiet(missing).execute().unwrap_err().code(),
        Code::BlockFailed
    );
}
