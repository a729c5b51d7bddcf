//! `fusevm spec`: the opcode table, for people and for programs.

use crate::failure::{Failure, status};
use crate::output;
use fusevm::op::{Flow, INFO, OPSET_LEVEL, OpInfo, opset_hash};
use serde::Serialize;
use std::fmt::Write;

/// Print the opcode table
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    /// Only the ops whose mnemonic or name contains this
    filter: Option<String>,
}

/// Prints the table, or the rows that the filter leaves.
///
/// # Errors
/// Nothing matches the filter, or standard output can't be written.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let filter = args.filter.unwrap_or_default();
    let rows: Vec<&OpInfo> = INFO
        .iter()
        .filter(|info| info.mnemonic.contains(&filter) || info.name.contains(&filter))
        .collect();
    if rows.is_empty() {
        return Err(Failure::usage(format!("no op is called `{filter}`")));
    }
    if args.json {
        output::print_json(&Table::of(&rows))?;
    } else {
        output::print_text(&text(&rows))?;
    }
    Ok(status::OK)
}

/// The table by families, a line for each op.
fn text(rows: &[&OpInfo]) -> String {
    let mut text = String::new();
    let mut family = None;
    for info in rows {
        if family != Some(info.family) {
            let gap = if family.is_some() { "\n" } else { "" };
            family = Some(info.family);
            let _ = writeln!(text, "{gap}{:?}", info.family);
        }
        let mut form = info.mnemonic.to_owned();
        for operand in info.operands {
            let _ = write!(form, " {}", operand.name);
        }
        let picture = format!("( {} )", info.picture);
        let _ = writeln!(
            text,
            "  {:02x}  {form:<44} {picture:<28} {}",
            info.byte, info.meaning
        );
    }
    text
}

/// The table as JSON.
#[derive(Serialize)]
struct Table {
    opset: u16,
    opset_hash: String,
    ops: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    byte: u8,
    name: &'static str,
    mnemonic: &'static str,
    operands: Vec<OperandRow>,
    effect: &'static str,
    flow: &'static str,
    family: String,
    stack: &'static str,
    meaning: &'static str,
}

#[derive(Serialize)]
struct OperandRow {
    name: &'static str,
    kind: String,
}

impl Table {
    fn of(rows: &[&OpInfo]) -> Table {
        Table {
            opset: OPSET_LEVEL,
            opset_hash: opset_hash(OPSET_LEVEL).map_or_else(String::new, |hash| output::hex(&hash)),
            ops: rows.iter().map(|info| Row::of(info)).collect(),
        }
    }
}

impl Row {
    fn of(info: &OpInfo) -> Row {
        let operands = info.operands.iter().map(|operand| OperandRow {
            name: operand.name,
            kind: format!("{:?}", operand.kind).to_lowercase(),
        });
        Row {
            byte: info.byte,
            name: info.name,
            mnemonic: info.mnemonic,
            operands: operands.collect(),
            effect: info.effect,
            flow: flow(info.flow),
            family: format!("{:?}", info.family).to_lowercase(),
            stack: info.picture,
            meaning: info.meaning,
        }
    }
}

fn flow(flow: Flow) -> &'static str {
    match flow {
        Flow::Next => "next",
        Flow::Jump => "jump",
        Flow::Branch => "branch",
        Flow::Return => "return",
        Flow::Scope => "scope",
    }
}
