//! Native code as text: instructions of the processor, under what they belong to.

use crate::output;
use fusevm::jit::listing::{NativeFunction, NativeListing};
use std::fmt::Write;

/// The native code of a chunk, as comments of assembly text.
pub(crate) fn text(listing: &NativeListing) -> String {
    let mut text = String::new();
    for (title, why) in &listing.declined {
        line(
            &mut text,
            &format!("{} has no native code: {why}", output::shown(title)),
        );
    }
    for function in &listing.functions {
        function_text(&mut text, function);
    }
    text
}

fn function_text(text: &mut String, function: &NativeFunction) {
    text.push('\n');
    let (title, length) = (output::shown(&function.title), function.code.len());
    line(text, &format!("native code of {title}: {length} bytes"));
    let mut marks = function.marks.iter().peekable();
    for (offset, instruction) in instructions(&function.code) {
        while let Some(mark) = marks.next_if(|mark| mark.offset <= offset) {
            if marks.peek().is_none_or(|next| next.offset > offset) {
                line(text, &format!("  {}", output::shown(&mark.text)));
            }
        }
        line(text, &format!("    {offset:5x}  {instruction}"));
    }
}

fn line(text: &mut String, comment: &str) {
    // A `String` takes all that is written to it.
    let _ = writeln!(text, "; {comment}");
}

/// The instructions of a function, each with its offset.
#[cfg(target_arch = "x86_64")]
fn instructions(code: &[u8]) -> Vec<(usize, String)> {
    use iced_x86::{Decoder, DecoderOptions, FastFormatter};
    let mut formatter = FastFormatter::new();
    let options = formatter.options_mut();
    options.set_space_after_operand_separator(true);
    options.set_use_hex_prefix(true);
    let instructions = Decoder::with_ip(64, code, 0, DecoderOptions::NONE).into_iter();
    let text = instructions.map(|instruction| {
        let mut text = String::new();
        formatter.format(&instruction, &mut text);
        (instruction.ip() as usize, text)
    });
    text.collect()
}

/// The same for a processor that this program has no names for: the words.
#[cfg(not(target_arch = "x86_64"))]
fn instructions(code: &[u8]) -> Vec<(usize, String)> {
    let words = code.chunks(4).enumerate();
    let text = words.map(|(index, word)| {
        let bytes = word.iter().map(|byte| format!("{byte:02x}"));
        (index * 4, bytes.collect::<Vec<_>>().join(" "))
    });
    text.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fusevm::jit::listing::NativeMark;

    #[test]
    fn each_line_is_a_comment() {
        let function = NativeFunction {
            title: "sub `a\nb`".to_owned(),
            code: vec![0x90, 0xc3],
            marks: vec![NativeMark {
                offset: 1,
                text: "op 2 add".to_owned(),
            }],
        };
        let listing = NativeListing {
            functions: vec![function],
            declined: vec![("block 1".to_owned(), "too large".to_owned())],
        };
        let text = text(&listing);
        let comments = text
            .lines()
            .all(|line| line.is_empty() || line.starts_with("; "));
        assert!(comments && text.contains("op 2 add"), "{text}");
    }
}
