//! Native code of a chunk as it is before anything has run, for people who look at it: bytes, and
//! which instruction of register code each stretch of them belongs to.

use super::compile::{Compiler, Listed};
use super::ir::inst::Site;
use super::ir::{KnownSeams, Program, Seams};
use super::kinds::group::Entry;
use super::kinds::{Kind, Seen};
use super::options::JitOptions;
use crate::chunk::Chunk;
use crate::lower::code::Code;
use crate::lower::{Declined, Listing};
use crate::verify::{RegionKind, Shape};
use crate::vm::native_layout;
use std::rc::Rc;

/// The native code of all of a chunk, compiled as [`JitMode::Eager`](super::JitMode::Eager) does
/// before the first run: no kinds of operands were seen yet.
#[derive(Debug, Default)]
pub struct NativeListing {
    /// The functions, those that are compiled together behind each other.
    pub functions: Vec<NativeFunction>,
    /// What wasn't compiled, and why.
    pub declined: Vec<(String, String)>,
}

/// A function of native code.
#[derive(Debug)]
pub struct NativeFunction {
    /// What it is the code of, such as ``sub `f` ``.
    pub title: String,
    /// Its machine code.
    pub code: Vec<u8>,
    /// What its stretches belong to, ascending.
    pub marks: Vec<NativeMark>,
}

/// Where a stretch of native code begins.
#[derive(Debug)]
pub struct NativeMark {
    /// Bytes from the function's beginning.
    pub offset: usize,
    /// The op and the register instruction that the code does, or what else it is for.
    pub text: String,
}

/// A chunk with all of its regions lowered.
pub(super) struct Whole<'a> {
    pub(super) codes: &'a [Result<Code, Declined>],
    pub(super) shape: &'a Shape,
    pub(super) seen: Seen,
    pub(super) seams: KnownSeams,
}

impl Program for Whole<'_> {
    fn code(&self, region: usize) -> Option<&Code> {
        self.codes[region].as_ref().ok()
    }

    fn seams(&self, region: usize) -> Option<Rc<Seams>> {
        self.seams.get(region, || Seams::of(self, region))
    }

    fn argc(&self, region: usize) -> usize {
        self.shape.regions()[region].entry_height as usize
    }

    fn seen(&self, _region: usize, _at: usize) -> Seen {
        self.seen
    }
}

impl NativeListing {
    /// Compiles all of a chunk whose shape is known.
    pub fn of(chunk: &Chunk, shape: &Shape) -> NativeListing {
        let lowered = Listing::of(chunk, shape);
        let program = Whole {
            codes: lowered.codes(),
            shape,
            seen: Seen::default(),
            seams: KnownSeams::default(),
        };
        let mut listing = NativeListing::default();
        let mut compiler = Compiler::new(native_layout());
        let budget = JitOptions::default().budget;
        let mut done = vec![false; shape.regions().len()];
        for (index, region) in shape.regions().iter().enumerate() {
            if std::mem::replace(&mut done[index], true) {
                continue;
            }
            let title = title_of(chunk, shape, index);
            let (Some(code), Some(compiler)) = (program.code(index), &mut compiler) else {
                let why = match program.code(index) {
                    None => "its register code is too large",
                    Some(_) => "there is no compiler for this machine",
                };
                listing.declined.push((title, why.to_owned()));
                continue;
            };
            for entry in entries(&program, index, region.kind, code, budget) {
                match compiler.list(&program, index, entry, budget) {
                    Err(why) => listing.declined.push((title.clone(), why.to_string())),
                    Ok(functions) => {
                        for function in functions {
                            if let Some(region) = function.region {
                                done[region] = true;
                            }
                            let site = |site: Site| text_of(chunk, shape, &lowered, index, site);
                            let title_of = |region| title_of(chunk, shape, region);
                            let function = named(function, &title, &site, &title_of);
                            listing.functions.push(function);
                        }
                    }
                }
            }
        }
        listing
    }
}

/// How a region is entered before it has run; each of its pieces, if it is too large to be compiled together.
fn entries(
    program: &Whole<'_>,
    region: usize,
    kind: RegionKind,
    code: &Code,
    budget: usize,
) -> Vec<Entry> {
    let frame = |start, kind| Entry::Frame(start, vec![kind; code.registers as usize]);
    let seams = (code.words.len() > budget).then(|| program.seams(region));
    match (kind, seams.flatten()) {
        (_, Some(seams)) => {
            let starts = seams.starts(budget);
            starts.map(|start| frame(start, Kind::Any)).collect()
        }
        (RegionKind::Sub(_), None) => {
            vec![Entry::Call(vec![Kind::Any; program.argc(region)])]
        }
        (RegionKind::Main | RegionKind::Block(_), None) => vec![frame(0, Kind::Scalar)],
    }
}

/// A function with its titles; `root` is that of the region it is compiled for.
fn named(
    function: Listed,
    root: &str,
    text_of: &dyn Fn(Site) -> String,
    title_of: &dyn Fn(usize) -> String,
) -> NativeFunction {
    let title = match function.region {
        Some(region) => title_of(region),
        None => format!("{root}, called by the engine"),
    };
    let marks = function.marks.into_iter().map(|(offset, site)| NativeMark {
        offset,
        text: site.map_or_else(|| "ways in and out".to_owned(), text_of),
    });
    NativeFunction {
        title,
        marks: marks.collect(),
        code: function.code,
    }
}

/// What a region is called.
pub(crate) fn title_of(chunk: &Chunk, shape: &Shape, region: usize) -> String {
    match shape.regions()[region].kind {
        RegionKind::Main => "main".to_owned(),
        RegionKind::Block(row) => format!("block {row}"),
        RegionKind::Sub(row) => {
            let name = chunk.sub_entries.get(row).map(|(name, _)| *name);
            let name = name.and_then(|name| chunk.names.get(usize::from(name)));
            format!("sub `{}`", name.map_or("", String::as_str))
        }
    }
}

/// An instruction with the op that it came from, and the region if that isn't `root`, as in an
/// inlined sub.
fn text_of(chunk: &Chunk, shape: &Shape, lowered: &Listing, root: usize, site: Site) -> String {
    let region = site.region as usize;
    let (op, text) = lowered.instruction(region, site.at as usize, |name| {
        chunk
            .names
            .get(usize::from(name))
            .cloned()
            .unwrap_or_default()
    });
    let mnemonic = match chunk.ops.get(op) {
        Some(op) => op.info().mnemonic,
        None => "end",
    };
    let within = match region == root {
        true => String::new(),
        false => format!(" of {}", title_of(chunk, shape, region)),
    };
    format!("op {op} {mnemonic}{within}: {text}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::verify_chunk;
    use crate::{ChunkBuilder, Op};

    #[test]
    fn each_sub_and_op_is_named() {
        let mut b = ChunkBuilder::new();
        let f = b.add_name("f");
        b.emit(Op::LoadInt(3), 1);
        b.emit(Op::Call(f, 1), 1);
        let end = b.emit(Op::Jump(0), 1);
        let entry = b.current_pos();
        b.add_sub_entry(f, entry);
        for op in [Op::Dup, Op::Mul, Op::ReturnValue] {
            b.emit(op, 2);
        }
        let here = b.current_pos();
        b.patch_jump(end, here);
        let chunk = b.build();
        let listing = NativeListing::of(&chunk, &verify_chunk(&chunk).expect("a strict chunk"));
        assert!(listing.declined.is_empty(), "{:?}", listing.declined);
        let titles: Vec<&str> = listing.functions.iter().map(|f| f.title.as_str()).collect();
        assert!(titles.contains(&"main"), "{titles:?}");
        assert!(titles.contains(&"sub `f`"), "{titles:?}");
        let marks = listing.functions.iter().flat_map(|f| &f.marks);
        let texts: Vec<&str> = marks.map(|mark| mark.text.as_str()).collect();
        assert!(
            texts.iter().any(|text| text.starts_with("op 4 mul")),
            "{texts:?}"
        );
        for function in &listing.functions {
            let offsets: Vec<usize> = function.marks.iter().map(|mark| mark.offset).collect();
            assert!(offsets.is_sorted() && !function.code.is_empty());
        }
    }
}
