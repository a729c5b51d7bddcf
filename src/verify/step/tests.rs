//! How a row of the opcode table becomes a step.

use super::*;
use OperandKind::*;

#[test]
fn a_rows_step_is_made_of_its_flow_operands_effect_and_needs() {
    let none = Some(Needs::None);
    let fixed = Effect::Fixed(2, 1);
    // Flow, operands, effect, needs; then class, meaning, values taken, slots.
    for (flow, operands, effect, needs, class, meaning, pops, slots) in [
        (
            Flow::Next,
            &[][..],
            fixed,
            none,
            Class::Plain,
            Meaning::None,
            2,
            0,
        ),
        (
            Flow::Next,
            &[Const],
            fixed,
            none,
            Class::Plain,
            Meaning::Const,
            2,
            0,
        ),
        (
            Flow::Next,
            &[Name],
            fixed,
            none,
            Class::Plain,
            Meaning::Name,
            2,
            0,
        ),
        (
            Flow::Next,
            &[Block],
            fixed,
            none,
            Class::Block,
            Meaning::Block,
            2,
            0,
        ),
        (
            Flow::Next,
            &[Slot],
            fixed,
            none,
            Class::Plain,
            Meaning::Slot,
            2,
            1,
        ),
        (
            Flow::Next,
            &[Count],
            fixed,
            none,
            Class::Plain,
            Meaning::None,
            2,
            0,
        ),
        (
            Flow::Next,
            &[Int],
            fixed,
            none,
            Class::Plain,
            Meaning::None,
            2,
            0,
        ),
        (
            Flow::Next,
            &[Argc],
            Effect::Counted(1),
            none,
            Class::Plain,
            Meaning::Count,
            0,
            0,
        ),
        (
            Flow::Jump,
            &[Target],
            fixed,
            none,
            Class::Jump,
            Meaning::Target,
            2,
            0,
        ),
        (
            Flow::Branch,
            &[Target],
            fixed,
            none,
            Class::Branch,
            Meaning::Target,
            2,
            0,
        ),
        (
            Flow::Return,
            &[],
            fixed,
            none,
            Class::Return,
            Meaning::None,
            2,
            0,
        ),
        (
            Flow::Scope,
            &[],
            fixed,
            none,
            Class::Scope,
            Meaning::None,
            2,
            0,
        ),
        (
            Flow::Next,
            &[Id, Argc],
            Effect::Declared,
            none,
            Class::Declared,
            Meaning::Complex,
            0,
            0,
        ),
        (
            Flow::Next,
            &[Slot, Slot],
            fixed,
            none,
            Class::Computed,
            Meaning::Complex,
            0,
            0,
        ),
        (
            Flow::Next,
            &[],
            Effect::Computed,
            none,
            Class::Computed,
            Meaning::Complex,
            0,
            0,
        ),
        (
            Flow::Next,
            &[],
            fixed,
            None,
            Class::Computed,
            Meaning::Complex,
            0,
            0,
        ),
    ] {
        let step = step_of_row(flow, operands, effect, needs);
        let found = (step.class(), step.meaning(), step.pops(), step.top());
        assert_eq!(
            found,
            (class, meaning, pops, slots),
            "{flow:?} {operands:?}"
        );
        assert_eq!(step.needs(), 0);
    }
    let needs = step_of_row(Flow::Next, &[], fixed, Some(Needs::Read)).needs();
    assert_eq!(needs, need_bit(Needs::Read));
}
