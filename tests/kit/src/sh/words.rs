//! Ops of words.

use super::compile::Compiler;
use super::parse::{Part, PartKind, Word};
use fusevm::Op;

/// The text of a word without expansions.
pub(super) fn literal(word: &Word) -> Option<String> {
    let mut text = String::new();
    for part in word {
        match &part.kind {
            PartKind::Text(part) => text.push_str(part),
            _ => return None,
        }
    }
    Some(text)
}

/// Whether a command's output is part of the word.
pub(super) fn has_subst(word: &Word) -> bool {
    word.iter()
        .any(|part| matches!(part.kind, PartKind::Subst(_)))
}

/// Whether the word may become many, or none: then an array stands for it.
pub(super) fn is_many(word: &Word) -> bool {
    is_split(word) || has_pattern(word) || has_braces(word) || is_all_arguments(word)
}

fn is_split(word: &Word) -> bool {
    let is_expansion = |part: &Part| {
        !part.is_quoted && matches!(part.kind, PartKind::Param(..) | PartKind::Subst(_))
    };
    word.iter().any(is_expansion)
}

fn has_unquoted(word: &Word, any_of: &str) -> bool {
    word.iter().any(|part| match &part.kind {
        PartKind::Text(text) => !part.is_quoted && text.contains(|c| any_of.contains(c)),
        _ => false,
    })
}

fn has_pattern(word: &Word) -> bool {
    has_unquoted(word, "*?[")
}

fn has_braces(word: &Word) -> bool {
    has_unquoted(word, "{") && has_unquoted(word, "}")
}

/// Whether the word has `**`.
fn is_deep(word: &Word) -> bool {
    word.iter().any(|part| match &part.kind {
        PartKind::Text(text) => !part.is_quoted && text.contains("**"),
        _ => false,
    })
}

/// Whether the word is `"$@"`.
fn is_all_arguments(word: &Word) -> bool {
    word.iter()
        .any(|part| matches!(&part.kind, PartKind::Param(name, 0, _) if name == "@"))
}

impl Compiler {
    /// The word as the words that it becomes: one value, an array if they may be many.
    pub(super) fn fields(&mut self, word: &Word) {
        if is_all_arguments(word) {
            // All from the first on.
            self.text("@");
            self.op(Op::LoadInt(0));
            self.op(Op::LoadUndef);
            self.op(Op::ExpandParam(17));
        } else if has_braces(word) {
            let text = literal(word).expect("braces with expansions are not in the subset");
            self.text(&text);
            self.op(Op::BraceExpand);
        } else if is_split(word) {
            self.joined_text(word);
            self.op(Op::WordSplit);
        } else if has_pattern(word) {
            self.pattern(word);
            let is_recursive = self.has_globstar && is_deep(word);
            self.op(match is_recursive {
                true => Op::GlobRecursive,
                false => Op::Glob,
            });
            // Without a match the word stays.
            self.op(Op::Dup);
            self.op(Op::StringLen);
            let matched = self.op(Op::JumpIfTrue(0));
            self.op(Op::Pop);
            self.joined_text(word);
            self.op(Op::MakeArray(1));
            self.land(matched);
        } else {
            self.joined_text(word);
        }
    }

    /// The word as one text.
    pub(super) fn joined_text(&mut self, word: &Word) {
        if let Some(text) = literal(word) {
            self.text(&text);
            self.tilde(word);
            return;
        }
        for (place, part) in word.iter().enumerate() {
            self.part(part);
            if place > 0 {
                self.op(Op::Concat);
            }
        }
        self.tilde(word);
    }

    fn tilde(&mut self, word: &Word) {
        let has_tilde = word.first().is_some_and(|part| match &part.kind {
            PartKind::Text(text) => !part.is_quoted && text.starts_with('~'),
            _ => false,
        });
        if has_tilde {
            self.op(Op::TildeExpand);
        }
    }

    /// The word as a pattern: what is quoted in it stands for itself.
    pub(super) fn pattern(&mut self, word: &Word) {
        let mut parts = 0;
        for part in word {
            match &part.kind {
                PartKind::Text(text) if part.is_quoted => {
                    let escaped: String = text.chars().flat_map(|c| ['\\', c]).collect();
                    self.text(&escaped);
                }
                _ => self.part(part),
            }
            parts += 1;
            if parts > 1 {
                self.op(Op::Concat);
            }
        }
        if parts == 0 {
            self.text("");
        }
    }

    fn part(&mut self, part: &Part) {
        match &part.kind {
            PartKind::Text(text) => self.text(text),
            PartKind::Param(name, code, words) => self.param(name, *code, words),
            PartKind::Subst(body) => {
                let block = self.block(body);
                self.op(Op::CmdSubst(block));
            }
            PartKind::ProcessIn(body) => {
                let block = self.block(body);
                self.op(Op::ProcessSubIn(block));
            }
            PartKind::ProcessOut(body) => {
                let block = self.block(body);
                self.op(Op::ProcessSubOut(block));
            }
            PartKind::Sum(left, operator, right) => {
                for operand in [left, right] {
                    match operand.parse() {
                        Ok(number) => {
                            self.op(Op::LoadInt(number));
                        }
                        Err(_) => {
                            let name = self.builder.add_name(operand);
                            self.op(Op::GetVar(name));
                            // To a number, as text gives a float otherwise.
                            self.op(Op::Inc);
                            self.op(Op::Dec);
                        }
                    }
                }
                self.op(match operator {
                    '+' => Op::Add,
                    '-' => Op::Sub,
                    '*' => Op::Mul,
                    '%' => Op::Mod,
                    other => panic!("{other} is not in the subset"),
                });
            }
        }
    }

    fn param(&mut self, name: &str, code: u8, words: &[Word]) {
        let index = self.builder.add_name(name);
        let is_plain = code == 0 && words.iter().all(Word::is_empty);
        if is_plain && self.certain.contains(name) {
            self.op(Op::GetVar(index));
            return;
        }
        self.text(name);
        match code {
            5..=8 => self.pattern(&words[0]),
            9 | 10 => {
                self.pattern(&words[0]);
                self.joined_text(&words[1]);
            }
            17 => {
                self.joined_text(&words[0]);
                match words[1].is_empty() {
                    true => {
                        self.op(Op::LoadUndef);
                    }
                    false => self.joined_text(&words[1]),
                }
            }
            _ => words.iter().for_each(|word| self.joined_text(word)),
        }
        self.op(Op::ExpandParam(code));
    }
}
