//! Register code as text, for people who look at what the engine runs: instruction by instruction,
//! each with the op that it came from.
//!
//! What an instruction does is said by the picture of its row in the table, with the fields' values
//! in the places of their letters.

use super::code::{Code, REGISTER_BYTES, Word};
use super::{Declined, Lowering};
use crate::chunk::Chunk;
use crate::verify::Shape;

/// The register code of all of a chunk.
#[derive(Debug)]
pub struct Listing {
    /// By region: its code, or why there is none.
    codes: Vec<Result<Code, Declined>>,
    /// What stands at ops, in their order.
    places: Vec<Place>,
}

/// Something of a region that stands at an op.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    op: u32,
    region: u32,
    /// An instruction's position plus 1; 0 for what is said of the region.
    instruction: u32,
}

impl Listing {
    /// Lowers the main program of a chunk, its subs and its blocks; `shape` is that of the chunk.
    pub fn of(chunk: &Chunk, shape: &Shape) -> Listing {
        let lowering = Lowering::new(chunk, None).linked();
        let mut codes = Vec::new();
        let mut places = Vec::new();
        for (index, region) in shape.regions().iter().enumerate() {
            let place = |op, instruction| Place {
                op,
                region: index as u32,
                instruction,
            };
            places.push(place(region.entry as u32, 0));
            let code = lowering.lower(chunk, shape, index);
            if let Ok(code) = &code {
                places.extend(positions(code).map(|at| place(code.ops[at], at as u32 + 1)));
            }
            codes.push(code);
        }
        places.sort_unstable();
        Listing { codes, places }
    }

    /// By region: its code, or why there is none.
    #[cfg(feature = "jit")]
    pub(crate) fn codes(&self) -> &[Result<Code, Declined>] {
        &self.codes
    }

    /// The op that an instruction of a region came from, and the instruction as text; `name_of` gives
    /// the text of a global.
    #[cfg(feature = "jit")]
    pub(crate) fn instruction(
        &self,
        region: usize,
        at: usize,
        name_of: impl Fn(u16) -> String,
    ) -> (usize, String) {
        match &self.codes[region] {
            Err(declined) => (0, declined.reason().to_owned()),
            Ok(code) => {
                let text = Instruction::of(code, at).text(name_of);
                let words: Vec<&str> = text.split_whitespace().collect();
                (code.ops[at] as usize, words.join(" "))
            }
        }
    }

    /// What stands at an op, a line each; `name_of` gives the text of a global.
    pub(crate) fn lines_of(
        &self,
        op: usize,
        name_of: impl Fn(u16) -> String,
    ) -> impl Iterator<Item = String> {
        let first = self
            .places
            .partition_point(|place| (place.op as usize) < op);
        let here = self.places[first..].iter();
        let here = here.take_while(move |place| place.op as usize == op);
        here.map(move |place| {
            match (
                &self.codes[place.region as usize],
                place.instruction.checked_sub(1),
            ) {
                (Err(declined), _) => declined.reason().to_owned(),
                (Ok(code), None) => {
                    let (count, registers) = (positions(code).count(), code.registers);
                    format!("{count} instructions, {registers} registers")
                }
                (Ok(code), Some(at)) => {
                    let at = at as usize;
                    format!("{at:4}  {}", Instruction::of(code, at).text(&name_of))
                }
            }
        })
    }
}

impl Declined {
    fn reason(self) -> &'static str {
        match self {
            Declined::TooLarge => "no register code: too large",
        }
    }
}

/// Where instructions begin.
fn positions(code: &Code) -> impl Iterator<Item = usize> {
    let mut next = 0;
    std::iter::from_fn(move || {
        let at = next;
        next += Word(*code.words.get(at)?).op().words();
        Some(at)
    })
}

/// An instruction to be written.
struct Instruction {
    at: usize,
    word: Word,
    /// The second word, if it has one.
    immediate: u64,
}

impl Instruction {
    fn of(code: &Code, at: usize) -> Instruction {
        let word = Word(code.words[at]);
        let immediate = if word.op().words() > 1 {
            code.words[at + 1]
        } else {
            0
        };
        Instruction {
            at,
            word,
            immediate,
        }
    }

    /// The picture of its row, filled in.
    fn text(&self, name_of: impl Fn(u16) -> String) -> String {
        let picture = self.word.op().picture();
        let words: Vec<&str> = picture.split(' ').collect();
        let mut text = format!("{:?}", self.word.op());
        text.push_str(&" ".repeat(18_usize.saturating_sub(text.len())));
        let mut skip = false;
        for (place, word) in words.iter().enumerate() {
            if std::mem::take(&mut skip) {
                continue;
            }
            let before = place.checked_sub(1).map_or("", |before| words[before]);
            let after = words.get(place + 1).copied().unwrap_or("");
            text.push(' ');
            if let ("b,", "c") = (*word, after) {
                skip = true;
                text.push_str(&self.wide(before));
            } else {
                text.push_str(&self.filled(before, word, after, &name_of));
            }
        }
        text
    }

    /// The fields b and c as one number.
    fn wide(&self, before: &str) -> String {
        match before {
            "->" => self.target(self.word.wide() as i32),
            _ => self.word.wide().to_string(),
        }
    }

    fn target(&self, distance: i32) -> String {
        (self.at as i64 + i64::from(distance)).to_string()
    }

    /// One word of the picture: a letter becomes what its field holds.
    fn filled(
        &self,
        before: &str,
        word: &str,
        after: &str,
        name_of: &impl Fn(u16) -> String,
    ) -> String {
        let letter = word.trim_end_matches([',', ';']);
        let end = &word[letter.len()..];
        let field = match letter {
            "a" => self.word.a(),
            "b" => self.word.b(),
            "c" => self.word.c(),
            "k" => return format!("{}{end}", self.immediate_after(before)),
            _ => return word.to_owned(),
        };
        let text = match (before, after) {
            ("->", _) => self.target(i32::from(field as i16)),
            ("global" | "function", _) => name_of(field),
            ("constant", _) => format!("#{field}"),
            ("giving", _) | (_, "values" | "registers") => field.to_string(),
            _ => format!("r{}", usize::from(field) / REGISTER_BYTES),
        };
        format!("{text}{end}")
    }

    fn immediate_after(&self, before: &str) -> String {
        match before {
            "Int" => (self.immediate as i64).to_string(),
            "Float" => format!("{:?}", f64::from_bits(self.immediate)),
            _ => self.immediate.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunk::ChunkBuilder;
    use crate::lower::code::Rop;
    use crate::op::Op;
    use crate::verify::verify_chunk;

    #[test]
    fn every_picture_is_filled_in() {
        for op in Rop::ALL {
            let word = Word::new(op, 0, 16, 32, 48);
            let instruction = Instruction {
                at: 100,
                word,
                immediate: 7,
            };
            let text = instruction.text(|name| format!("global{name}"));
            let picture = text.split_once(' ').map_or("", |(_, picture)| picture);
            let left = picture
                .split(|c: char| !c.is_alphanumeric())
                .find(|word| ["b", "c", "k"].contains(word));
            assert_eq!(left, None, "{text}");
        }
    }

    #[test]
    fn instructions_stand_at_their_ops() {
        let mut b = ChunkBuilder::new();
        let total = b.add_name("total");
        b.emit(Op::GetSlot(0), 1);
        b.emit(Op::LoadInt(5), 1);
        b.emit(Op::Add, 1);
        b.emit(Op::SetVar(total), 1);
        let chunk = b.build();
        let shape = verify_chunk(&chunk).expect("a strict chunk");
        let listing = Listing::of(&chunk, &shape);
        let lines = |op| {
            listing
                .lines_of(op, |_| "total".to_owned())
                .collect::<Vec<_>>()
        };
        assert!(lines(0)[0].ends_with("registers"), "{:?}", lines(0));
        assert!(lines(2)[0].ends_with("+ Int 5"), "{:?}", lines(2));
        assert!(lines(3)[0].contains("global total = "), "{:?}", lines(3));
    }
}
