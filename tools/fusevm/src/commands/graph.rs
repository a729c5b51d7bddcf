//! `fusevm graph`: the control flow of a chunk in the DOT language, for Graphviz to draw.

use crate::failure::{Failure, status};
use crate::input;
use crate::output;
use fusevm::format::LoadedChunk;
use fusevm::op::{Flow, Op, Operand};
use fusevm::verify::{RegionKind, Shape};
use fusevm::{Chunk, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;

/// Draw the control flow of a module's chunks
///
/// Prints the DOT language: `fusevm graph FILE | dot -Tsvg`. A node is a run of ops that control
/// enters at its first and leaves at its last; calls and uses of blocks are dashed. Subs and blocks
/// of a strict chunk stand apart, and what nothing leads to is grey.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The module, or assembly text; `-` for standard input
    file: PathBuf,
    /// Only this chunk, as NAME or SPACE::NAME
    #[arg(long, value_name = "NAME")]
    chunk: Option<String>,
}

/// Characters of a name or constant that are shown.
const SHOWN: usize = 40;

/// Prints a graph for each chunk.
///
/// # Errors
/// The module can't be loaded, has no such chunk, or standard output can't be written.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let module = input::open(&args.file)?;
    if let Some(name) = &args.chunk {
        output::print_text(&graph_of(&input::chunk(&module, name)?))?;
        return Ok(status::OK);
    }
    for chunk in input::chunks(&module)? {
        output::print_text(&graph_of(&chunk?))?;
    }
    Ok(status::OK)
}

fn graph_of(loaded: &LoadedChunk) -> String {
    let name = output::full_name(loaded.space(), loaded.name());
    let chunk = loaded.to_chunk();
    let graph = Graph::of(&chunk, loaded.shape());
    let mut out = format!("digraph {} {{\n", quoted(&name));
    out.push_str("    node [shape=box, fontname=monospace];\n");
    graph.write_nodes(&mut out);
    graph.write_edges(&mut out);
    out.push_str("}\n");
    out
}

/// A chunk cut into straight runs of ops.
struct Graph<'c> {
    chunk: &'c Chunk,
    shape: Option<&'c Shape>,
    /// Where the runs begin, and the number of ops.
    starts: Vec<usize>,
    /// The ops behind the last ones of blocks: what gets there goes back to the block's user.
    block_ends: BTreeSet<usize>,
}

impl<'c> Graph<'c> {
    fn of(chunk: &'c Chunk, shape: Option<&'c Shape>) -> Graph<'c> {
        let len = chunk.ops.len();
        let mut starts = BTreeSet::from([0, len]);
        starts.extend(chunk.sub_entries.iter().map(|(_, entry)| *entry));
        for (start, end) in &chunk.block_ranges {
            starts.extend([*start, *end]);
        }
        for (at, op) in chunk.ops.iter().enumerate() {
            starts.extend(target(op));
            match op.flow() {
                Flow::Jump | Flow::Branch | Flow::Return => drop(starts.insert(at + 1)),
                Flow::Next | Flow::Scope => {}
            }
        }
        let starts = starts.into_iter().filter(|start| *start <= len);
        let blocks = chunk.block_ranges.iter().filter(|(start, end)| start < end);
        Graph {
            chunk,
            shape,
            starts: starts.collect(),
            block_ends: blocks.map(|(_, end)| *end).collect(),
        }
    }

    /// The runs: their first ops, and the ops behind their last.
    fn runs(&self) -> impl Iterator<Item = (usize, usize)> {
        self.starts.windows(2).map(|pair| (pair[0], pair[1]))
    }

    /// The nodes, those of a region together.
    fn write_nodes(&self, out: &mut String) {
        let mut by_region: BTreeMap<Option<usize>, Vec<(usize, usize)>> = BTreeMap::new();
        for run in self.runs() {
            let region = self.shape.and_then(|shape| shape.region_at(run.0));
            by_region.entry(region).or_default().push(run);
        }
        for (region, runs) in by_region {
            let titled = region.zip(self.shape);
            if let Some((region, shape)) = titled {
                let title = self.title(shape.regions()[region].kind);
                push(out, format_args!("    subgraph cluster_{region} {{\n"));
                push(out, format_args!("        label={};\n", quoted(&title)));
            }
            let unreached = self.shape.is_some() && region.is_none();
            for (start, end) in runs {
                let style = if unreached {
                    ", color=grey, fontcolor=grey"
                } else {
                    ""
                };
                let label = self.label(start, end);
                push(
                    out,
                    format_args!("        n{start} [label=\"{label}\"{style}];\n"),
                );
            }
            if titled.is_some() {
                out.push_str("    }\n");
            }
        }
        let end = self.chunk.ops.len();
        push(
            out,
            format_args!("    n{end} [label=end, shape=plaintext];\n"),
        );
    }

    fn title(&self, kind: RegionKind) -> String {
        match kind {
            RegionKind::Main => "main program".to_owned(),
            RegionKind::Sub(row) => {
                let name = usize::from(self.chunk.sub_entries[row].0);
                format!(
                    "sub {}",
                    self.chunk.names.get(name).map_or("", String::as_str)
                )
            }
            RegionKind::Block(row) => format!("block B{row}"),
        }
    }

    /// The ops of a run, a line each.
    fn label(&self, start: usize, end: usize) -> String {
        let ops = self.chunk.ops[start..end].iter().zip(start..);
        let lines = ops.map(|(op, at)| escaped(&format!("{at}  {}", self.text(op))) + "\\l");
        lines.collect()
    }

    fn text(&self, op: &Op) -> String {
        let mut text = op.info().mnemonic.to_owned();
        for operand in op.operands().iter() {
            text.push(' ');
            match *operand {
                Operand::Name(name) => match self.chunk.names.get(usize::from(name)) {
                    Some(name) => text.push_str(&cut(name)),
                    None => push(&mut text, format_args!("#{name}")),
                },
                Operand::Const(index) => match self.chunk.constants.get(usize::from(index)) {
                    Some(Value::Str(s)) => text.push_str(&cut(&format!("{:?}", s.to_string()))),
                    Some(value) => text.push_str(&cut(&format!("{value:?}"))),
                    None => push(&mut text, format_args!("#{index}")),
                },
                Operand::Float(number) => push(&mut text, format_args!("{number:?}")),
                Operand::Block(block) => push(&mut text, format_args!("B{block}")),
                other => push(&mut text, format_args!("{}", other.bits() as i64)),
            }
        }
        text
    }

    fn write_edges(&self, out: &mut String) {
        for (start, end) in self.runs() {
            let ops = self.chunk.ops[start..end].iter();
            for used in ops
                .filter_map(|op| self.used_by(op))
                .collect::<BTreeSet<_>>()
            {
                push(
                    out,
                    format_args!("    n{start} -> n{used} [style=dashed];\n"),
                );
            }
            let last = &self.chunk.ops[end - 1];
            if let Some(target) = target(last).filter(|target| self.is_start(*target)) {
                let label = match last.flow() {
                    Flow::Branch => " [label=taken]",
                    Flow::Jump | Flow::Return | Flow::Next | Flow::Scope => "",
                };
                push(out, format_args!("    n{start} -> n{target}{label};\n"));
            }
            match last.flow() {
                Flow::Next | Flow::Branch | Flow::Scope if !self.block_ends.contains(&end) => {
                    push(out, format_args!("    n{start} -> n{end};\n"));
                }
                Flow::Next | Flow::Branch | Flow::Scope | Flow::Jump | Flow::Return => {}
            }
        }
    }

    /// Where the sub or block begins that an op uses.
    fn used_by(&self, op: &Op) -> Option<usize> {
        let used = match op {
            Op::Call(name, _) => self.chunk.find_sub(*name),
            _ => op.operands().iter().find_map(|operand| match operand {
                Operand::Block(block) => {
                    let range = self.chunk.block_ranges.get(usize::from(*block));
                    range.map(|(start, _)| *start)
                }
                _ => None,
            }),
        };
        used.filter(|used| self.is_start(*used))
    }

    fn is_start(&self, op: usize) -> bool {
        self.starts.binary_search(&op).is_ok()
    }
}

/// Where a jump or branch goes.
fn target(op: &Op) -> Option<usize> {
    op.operands().iter().find_map(|operand| match operand {
        Operand::Target(target) => Some(*target),
        _ => None,
    })
}

/// The beginning of a text.
fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A text as a string of the DOT language.
fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(&cut(text)))
}

/// A text for within such a string, without control characters.
fn escaped(text: &str) -> String {
    let text = output::shown(text).to_string();
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string can't fail.
    let _ = out.write_fmt(text);
}
