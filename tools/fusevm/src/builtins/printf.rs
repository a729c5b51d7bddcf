//! The formats of `printf`.

use fusevm::value::Str;

/// What a format gives.
pub(super) struct Printed {
    pub(super) text: Vec<u8>,
    /// What is wrong with the format or an argument.
    pub(super) complaint: Option<String>,
}

/// The greatest width and precision, as a format may name any.
const MAX_WIDTH: usize = 1 << 16;

/// Prints the arguments by the format, which is used again as long as arguments are left.
pub(super) fn format(format: &[u8], arguments: &[Str]) -> Printed {
    let mut printed = Printed {
        text: Vec::new(),
        complaint: None,
    };
    let mut arguments = arguments.iter();
    loop {
        let before = arguments.len();
        printed.once(format, &mut arguments);
        let is_stuck = arguments.len() == before;
        if arguments.len() == 0 || is_stuck || printed.complaint.is_some() {
            return printed;
        }
    }
}

/// What stands between `%` and the letter.
#[derive(Default)]
struct Spec {
    left: bool,
    zero: bool,
    plus: bool,
    width: usize,
    precision: Option<usize>,
}

impl Printed {
    fn once(&mut self, format: &[u8], arguments: &mut std::slice::Iter<'_, Str>) {
        let mut rest = format;
        while let Some((&byte, behind)) = rest.split_first() {
            rest = behind;
            match byte {
                b'\\' => rest = self.escape(rest),
                b'%' if rest.first() == Some(&b'%') => {
                    self.text.push(b'%');
                    rest = &rest[1..];
                }
                b'%' => {
                    let (spec, behind) = Spec::read(rest);
                    let Some((&letter, behind)) = behind.split_first() else {
                        self.complaint = Some("the format ends in a directive".to_owned());
                        return;
                    };
                    rest = behind;
                    self.directive(&spec, letter, arguments.next().map(Str::as_bytes));
                    if self.complaint.is_some() {
                        return;
                    }
                }
                _ => self.text.push(byte),
            }
        }
    }

    fn directive(&mut self, spec: &Spec, letter: u8, argument: Option<&[u8]>) {
        let argument = argument.unwrap_or_default();
        match letter {
            b's' | b'b' => {
                let mut text = argument.to_vec();
                if letter == b'b' {
                    let mut inner = Printed {
                        text: Vec::new(),
                        complaint: None,
                    };
                    let mut rest = argument;
                    while let Some((&byte, behind)) = rest.split_first() {
                        rest = behind;
                        match byte {
                            b'\\' => rest = inner.escape(rest),
                            _ => inner.text.push(byte),
                        }
                    }
                    text = inner.text;
                }
                text.truncate(spec.precision.unwrap_or(usize::MAX));
                self.pad(spec, &text, b' ');
            }
            b'c' => self.pad(spec, &argument[..argument.len().min(1)], b' '),
            b'd' | b'i' | b'u' | b'o' | b'x' | b'X' => match integer(argument) {
                Some(number) => self.number(spec, letter, number),
                None => {
                    let argument = String::from_utf8_lossy(argument);
                    self.complaint = Some(format!("{argument}: expected numeric value"));
                }
            },
            other => self.complaint = Some(format!("%{}: bad directive", char::from(other))),
        }
    }

    fn number(&mut self, spec: &Spec, letter: u8, number: i64) {
        let text = match letter {
            b'o' => format!("{number:o}"),
            b'x' => format!("{number:x}"),
            b'X' => format!("{number:X}"),
            b'u' => (number as u64).to_string(),
            _ if spec.plus && number >= 0 => format!("+{number}"),
            _ => number.to_string(),
        };
        let zeros = spec.zero && !spec.left && spec.precision.is_none();
        let sign = usize::from(zeros && text.starts_with(['-', '+']));
        self.text.extend_from_slice(&text.as_bytes()[..sign]);
        let rest = Spec {
            width: spec.width.saturating_sub(sign),
            ..*spec
        };
        self.pad(
            &rest,
            &text.as_bytes()[sign..],
            if zeros { b'0' } else { b' ' },
        );
    }

    fn pad(&mut self, spec: &Spec, text: &[u8], filler: u8) {
        let missing = spec.width.saturating_sub(text.len());
        if !spec.left {
            self.text.extend(std::iter::repeat_n(filler, missing));
        }
        self.text.extend_from_slice(text);
        if spec.left {
            self.text.extend(std::iter::repeat_n(b' ', missing));
        }
    }

    /// Takes what stands behind a backslash; gives what is left.
    fn escape<'t>(&mut self, rest: &'t [u8]) -> &'t [u8] {
        let Some((&byte, behind)) = rest.split_first() else {
            self.text.push(b'\\');
            return rest;
        };
        let plain = match byte {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'a' => 7,
            b'b' => 8,
            b'f' => 12,
            b'v' => 11,
            b'\\' => b'\\',
            b'0'..=b'7' => {
                let digits = rest
                    .iter()
                    .take(3)
                    .take_while(|byte| (b'0'..=b'7').contains(*byte));
                let count = digits.count();
                let value = rest[..count]
                    .iter()
                    .fold(0u32, |n, d| n * 8 + u32::from(d - b'0'));
                self.text.push(value as u8);
                return &rest[count..];
            }
            _ => {
                self.text.extend_from_slice(&[b'\\', byte]);
                return behind;
            }
        };
        self.text.push(plain);
        behind
    }
}

impl Spec {
    fn read(text: &[u8]) -> (Spec, &[u8]) {
        let mut spec = Spec::default();
        let flags = text
            .iter()
            .take_while(|byte| b"-0+ #".contains(byte))
            .count();
        for flag in &text[..flags] {
            match flag {
                b'-' => spec.left = true,
                b'0' => spec.zero = true,
                b'+' => spec.plus = true,
                _ => {}
            }
        }
        let (width, mut rest) = digits(&text[flags..]);
        spec.width = width.unwrap_or(0);
        if let Some(behind) = rest.strip_prefix(b".") {
            let (precision, behind) = digits(behind);
            spec.precision = Some(precision.unwrap_or(0));
            rest = behind;
        }
        (spec, rest)
    }
}

fn digits(text: &[u8]) -> (Option<usize>, &[u8]) {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(count);
    let number = std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok());
    let number = match (number, count) {
        (_, 0) => None,
        (number, _) => Some(number.unwrap_or(MAX_WIDTH).min(MAX_WIDTH)),
    };
    (number, rest)
}

/// An integer as C writes it; nothing is 0.
fn integer(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.trim_start();
    if text.is_empty() {
        return Some(0);
    }
    if let Some(quoted) = text.strip_prefix(['\'', '"']) {
        return Some(quoted.bytes().next().map_or(0, i64::from));
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        Some(digits) => (16, digits),
        None if digits.len() > 1 && digits.starts_with('0') => (8, &digits[1..]),
        None => (10, digits),
    };
    i64::from_str_radix(digits, radix)
        .ok()
        .map(|number| sign * number)
}

#[cfg(test)]
mod tests {
    use super::Str;

    fn printed(format: &str, arguments: &[&str]) -> String {
        let arguments: Vec<_> = arguments.iter().map(|text| Str::from(*text)).collect();
        String::from_utf8(super::format(format.as_bytes(), &arguments).text).unwrap()
    }

    #[test]
    fn formats_print_as_in_a_shell() {
        assert_eq!(printed("%s-%s\\n", &["a", "b", "c"]), "a-b\nc-\n");
        assert_eq!(
            printed("%5d|%-5d|%05d", &["12", "-3", "-42"]),
            "   12|-3   |-0042"
        );
        assert_eq!(printed("%x %o %X %%", &["255", "8", "0x1f"]), "ff 10 1F %");
        assert_eq!(printed("%.2s\\t\\101", &["abc"]), "ab\tA");
        assert_eq!(printed("%b", &["a\\nb"]), "a\nb");
        assert_eq!(printed("plain", &["x"]), "plain");
        assert!(super::format(b"%d", &[Str::from("x")]).complaint.is_some());
        assert!(super::format(b"%", &[]).complaint.is_some());
    }
}
