//! Every operator on every pair of the values at which meanings part, in programs of one operator each:
//! all tiers have to do the same, and to give what the table of the operator's vector says.

use super::{Report, Seen, Sweep};
use anyhow::{Context, ensure};
use fusevm::{
    Op, Value,
    op::{INFO, OpInfo},
};
use fusevm_kit::{
    operator::{self, Way},
    outcome::{World, value_to_json, vector_limits},
    tiers::{Setup, TIERS},
    vectors::edge_values,
};
use serde_json::Value as Json;
use std::{fs, path::Path};

/// An operator and what it gives: a row for each left operand, or one row if there is no other.
struct Operator {
    op: Op,
    operands: usize,
    rows: Vec<Vec<Json>>,
}

pub(super) fn run(sweep: &Sweep, root: &Path) -> anyhow::Result<()> {
    let values = edge_values();
    let mut operators = Vec::new();
    for info in &INFO {
        operators.extend(read(info, root, values.len())?);
    }
    ensure!(!operators.is_empty(), "no vector is a table of an operator");
    let seen = Seen::default();
    let rows: Vec<(&Operator, usize)> = (operators.iter())
        .flat_map(|operator| (0..operator.rows.len()).map(move |row| (operator, row)))
        .collect();
    let each = Sweep {
        count: rows.len() as u64,
        ..*sweep
    };
    let tally = each.each_number("operators", |number| {
        let (operator, row) = rows[number as usize];
        check_row(operator, row, &values, &seen)
    });
    let tiers = TIERS.each_ref().map(|tier| tier.name).join(", ");
    let title = format!("programs of one operator in {tiers}, against the vectors' tables");
    let mut report = Report::new(title);
    report.count("operators", operators.len() as u64);
    report.count("values", values.len() as u64);
    seen.report(&mut report);
    tally.report(report, sweep.json)
}

/// The operator of a row of the opcode table, if it is one whose vector has a result for each value or
/// pair of values.
fn read(info: &OpInfo, root: &Path, values: usize) -> anyhow::Result<Option<Operator>> {
    let Some(op) = Op::from_operands(info.byte, &[]) else {
        return Ok(None);
    };
    let Some(operands) = operator::operands(&op) else {
        return Ok(None);
    };
    let path = root.join(format!("format-spec/vectors/valid/{}.json", info.mnemonic));
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let table: Json = serde_json::from_str(&text)?;
    let row = |name: String| {
        table["chunks"][name]["end"]["ok"]["Array"]
            .as_array()
            .cloned()
    };
    let rows: Option<Vec<Vec<Json>>> = match operands {
        1 => row(info.mnemonic.to_owned()).map(|row| vec![row]),
        _ => (0..values)
            .map(|left| row(format!("{}_{left}", info.mnemonic)))
            .collect(),
    };
    let rows = rows.filter(|rows| rows.iter().all(|row| row.len() == values));
    Ok(rows.map(|rows| Operator { op, operands, rows }))
}

/// Applies the operator to all operands of a row, in all ways.
fn check_row(operator: &Operator, row: usize, values: &[Value], seen: &Seen) -> Result<(), String> {
    let setup = Setup {
        limits: vector_limits(),
        world: World::Bare,
        prepare: |_| (),
        in_parts: false,
    };
    for (value, expected) in values.iter().zip(&operator.rows[row]) {
        let pair = [values[row].clone(), value.clone()];
        let operands = &pair[2 - operator.operands..];
        for way in Way::ALL {
            let chunk = operator::program(&operator.op, operands, way);
            let name = operator.op.info().mnemonic;
            let outcome = seen
                .compare(&chunk, &setup)
                .map_err(|error| format!("{name} of {operands:?}, {way:?}: {error}"))?;
            let Ok(Some(result)) = &outcome.end else {
                return Err(format!(
                    "{name} of {operands:?}, {way:?}: {:?}",
                    outcome.end
                ));
            };
            if way != Way::Branch && value_to_json(result) != *expected {
                return Err(format!(
                    "{name} of {operands:?}, {way:?}: {result:?}, not {expected}"
                ));
            }
        }
    }
    Ok(())
}
