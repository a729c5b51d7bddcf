//! Reads a script into a tree. The subset is what the comparisons with real shells need: no arithmetic but
//! of two operands, no `case`, no here-documents with expansions.

/// A command.
#[derive(Debug, Clone)]
pub(super) enum Command {
    Simple(Simple),
    /// Whether it is negated, and its stages.
    Pipeline(bool, Vec<Command>),
    And(Box<Command>, Box<Command>),
    Or(Box<Command>, Box<Command>),
    Sequence(Vec<Command>),
    Background(Box<Command>),
    Subshell(Box<Command>),
    Group(Box<Command>),
    If(Box<Command>, Box<Command>, Option<Box<Command>>),
    While(Box<Command>, Box<Command>),
    For(String, Vec<Word>, Box<Command>),
    Function(String, Box<Command>),
    Redirected(Box<Command>, Vec<Redirection>),
}

/// A command of words.
#[derive(Debug, Clone, Default)]
pub(super) struct Simple {
    pub(super) assignments: Vec<(String, Word)>,
    pub(super) words: Vec<Word>,
    pub(super) redirections: Vec<Redirection>,
}

#[derive(Debug, Clone)]
pub(super) enum Redirection {
    /// Descriptor, code of `redirect_op`, target.
    File(u8, u8, Word),
    Here(String),
    HereString(Word),
}

pub(super) type Word = Vec<Part>;

#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) kind: PartKind,
    pub(super) is_quoted: bool,
}

#[derive(Debug, Clone)]
pub(super) enum PartKind {
    Text(String),
    /// Name, code of `param_mod`, and its words.
    Param(String, u8, Vec<Word>),
    Subst(Box<Command>),
    ProcessIn(Box<Command>),
    ProcessOut(Box<Command>),
    /// Two operands, each a number or a name, and an operator.
    Sum(String, char, String),
}

/// Reads a script.
///
/// # Panics
/// If it is none of the subset: scripts are those of tests.
pub(super) fn script(text: &str) -> Command {
    let mut parser = Parser {
        text: text.chars().collect(),
        at: 0,
        here: Vec::new(),
    };
    let script = parser.sequence(&[]);
    assert_eq!(
        parser.at,
        parser.text.len(),
        "not all of it is read: {text}"
    );
    script
}

struct Parser {
    text: Vec<char>,
    at: usize,
    /// Ends of here-documents whose lines have not come yet.
    here: Vec<String>,
}

impl Parser {
    fn peek(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn rest_starts(&self, with: &str) -> bool {
        let mut rest = self.text[self.at..].iter();
        with.chars().all(|c| rest.next() == Some(&c))
    }

    fn takes(&mut self, token: &str) -> bool {
        let is_it = self.rest_starts(token);
        if is_it {
            self.at += token.chars().count();
        }
        is_it
    }

    fn blanks(&mut self) {
        loop {
            match self.peek() {
                Some(' ' | '\t') => self.at += 1,
                Some('\\') if self.text.get(self.at + 1) == Some(&'\n') => self.at += 2,
                Some('#') if self.at == 0 || self.text[self.at - 1].is_whitespace() => {
                    while self.peek().is_some_and(|c| c != '\n') {
                        self.at += 1;
                    }
                }
                _ => return,
            }
        }
    }

    fn lines(&mut self) {
        loop {
            self.blanks();
            if self.peek() != Some('\n') {
                return;
            }
            self.at += 1;
            self.here_documents();
        }
    }

    /// Skips the lines of here-documents, which were read ahead.
    fn here_documents(&mut self) {
        for end in std::mem::take(&mut self.here) {
            loop {
                let line = self.line();
                if line == end {
                    break;
                }
            }
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        while let Some(c) = self.peek() {
            self.at += 1;
            if c == '\n' {
                return line;
            }
            line.push(c);
        }
        line
    }

    /// Whether the next word is this one, which is not taken.
    fn is_word(&self, word: &str) -> bool {
        let end = self.at + word.chars().count();
        let ends = |c: &char| c.is_whitespace() || ";()&|".contains(*c);
        self.rest_starts(word) && self.text.get(end).is_none_or(ends)
    }

    fn takes_word(&mut self, word: &str) -> bool {
        self.blanks();
        self.is_word(word) && self.takes(word)
    }

    fn expect(&mut self, word: &str) {
        self.lines();
        let rest: String = self.text[self.at..].iter().take(40).collect();
        assert!(self.takes(word), "{word} is expected before: {rest}");
    }

    /// Commands up to one of these words, or the end.
    fn sequence(&mut self, ends: &[&str]) -> Command {
        let mut commands = Vec::new();
        loop {
            self.lines();
            if self.peek().is_none()
                || ends.iter().any(|end| match *end {
                    ")" | "}" => self.rest_starts(end),
                    word => self.is_word(word),
                })
            {
                return match commands.len() {
                    1 => commands.remove(0),
                    _ => Command::Sequence(commands),
                };
            }
            let command = self.and_or();
            self.blanks();
            commands.push(match self.peek() {
                Some('&') => {
                    self.at += 1;
                    Command::Background(Box::new(command))
                }
                Some(';') => {
                    self.at += 1;
                    command
                }
                _ => command,
            });
        }
    }

    fn and_or(&mut self) -> Command {
        let mut left = self.pipeline();
        loop {
            self.blanks();
            let join = if self.takes("&&") {
                Command::And
            } else if self.takes("||") {
                Command::Or
            } else {
                return left;
            };
            self.lines();
            left = join(Box::new(left), Box::new(self.pipeline()));
        }
    }

    fn pipeline(&mut self) -> Command {
        let is_negated = self.takes_word("!");
        let mut stages = vec![self.command()];
        loop {
            self.blanks();
            if self.rest_starts("||") || !self.takes("|") {
                break;
            }
            self.lines();
            stages.push(self.command());
        }
        match (is_negated, stages.len()) {
            (false, 1) => stages.remove(0),
            _ => Command::Pipeline(is_negated, stages),
        }
    }

    fn command(&mut self) -> Command {
        self.blanks();
        let command = if self.takes("(") {
            let body = self.sequence(&[")"]);
            self.expect(")");
            Command::Subshell(Box::new(body))
        } else if self.takes_word("{") {
            let body = self.sequence(&["}"]);
            self.expect("}");
            Command::Group(Box::new(body))
        } else if self.takes_word("if") {
            self.conditional()
        } else if self.takes_word("while") {
            let condition = self.sequence(&["do"]);
            Command::While(Box::new(condition), Box::new(self.body()))
        } else if self.takes_word("for") {
            self.for_each()
        } else {
            return self.simple();
        };
        let mut redirections = Vec::new();
        self.blanks();
        while let Some(redirection) = self.redirection() {
            redirections.push(redirection);
            self.blanks();
        }
        match redirections.is_empty() {
            true => command,
            false => Command::Redirected(Box::new(command), redirections),
        }
    }

    fn conditional(&mut self) -> Command {
        let condition = self.sequence(&["then"]);
        self.expect("then");
        let then = self.sequence(&["else", "elif", "fi"]);
        let otherwise = if self.takes_word("elif") {
            Some(Box::new(self.conditional()))
        } else {
            let otherwise = self
                .takes_word("else")
                .then(|| Box::new(self.sequence(&["fi"])));
            self.expect("fi");
            otherwise
        };
        Command::If(Box::new(condition), Box::new(then), otherwise)
    }

    fn body(&mut self) -> Command {
        self.expect("do");
        let body = self.sequence(&["done"]);
        self.expect("done");
        body
    }

    fn for_each(&mut self) -> Command {
        self.blanks();
        let name = self.name();
        let mut words = Vec::new();
        assert!(self.takes_word("in"), "for NAME in is expected");
        self.blanks();
        while let Some(word) = self.word() {
            words.push(word);
            self.blanks();
        }
        self.takes(";");
        Command::For(name, words, Box::new(self.body()))
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(c) = self
            .peek()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '_')
        {
            name.push(c);
            self.at += 1;
        }
        name
    }

    fn simple(&mut self) -> Command {
        let mut simple = Simple::default();
        loop {
            self.blanks();
            if let Some(redirection) = self.redirection() {
                simple.redirections.push(redirection);
                continue;
            }
            let start = self.at;
            let name = self.name();
            if !name.is_empty() && simple.words.is_empty() {
                if self.takes("()") {
                    self.lines();
                    return Command::Function(name, Box::new(self.command()));
                }
                if self.takes("=") {
                    let value = self.word().unwrap_or_default();
                    simple.assignments.push((name, value));
                    continue;
                }
            }
            self.at = start;
            match self.word() {
                Some(word) => simple.words.push(word),
                None => return Command::Simple(simple),
            }
        }
    }

    fn redirection(&mut self) -> Option<Redirection> {
        let start = self.at;
        let mut fd = String::new();
        while let Some(c) = self.peek().filter(char::is_ascii_digit) {
            fd.push(c);
            self.at += 1;
        }
        const FORMS: [(&str, u8, u8); 9] = [
            ("&>>", 1, 8),
            ("&>", 1, 7),
            (">>", 1, 1),
            (">|", 1, 4),
            (">&", 1, 6),
            ("<&", 0, 5),
            ("<>", 0, 3),
            (">", 1, 0),
            ("<", 0, 2),
        ];
        let is_process = self.rest_starts("<(") || self.rest_starts(">(");
        if self.takes("<<<") {
            self.blanks();
            return Some(Redirection::HereString(self.word().expect("a word")));
        }
        if self.takes("<<") {
            return Some(self.here_document());
        }
        let form = FORMS
            .iter()
            .find(|(token, ..)| !is_process && self.rest_starts(token));
        let Some((token, default, code)) = form else {
            self.at = start;
            return None;
        };
        self.takes(token);
        self.blanks();
        let fd = fd.parse().unwrap_or(*default);
        Some(Redirection::File(fd, *code, self.word().expect("a target")))
    }

    /// Reads a here-document ahead.
    fn here_document(&mut self) -> Redirection {
        self.takes("'");
        let end = self.name();
        self.takes("'");
        let here = self.at;
        self.line();
        for earlier in self.here.clone() {
            while self.line() != earlier {}
        }
        let mut text = String::new();
        loop {
            let line = self.line();
            if line == end {
                break;
            }
            text.push_str(&line);
            text.push('\n');
        }
        self.at = here;
        self.here.push(end);
        Redirection::Here(text)
    }

    /// A word, if one begins here.
    fn word(&mut self) -> Option<Word> {
        let mut word = Word::new();
        let start = self.at;
        while let Some(c) = self.peek() {
            match c {
                '\'' => {
                    self.at += 1;
                    let text = self.up_to('\'');
                    word.push(Part::text(text, true));
                }
                '"' => {
                    self.at += 1;
                    word.push(Part::text(String::new(), true));
                    while self.peek() != Some('"') {
                        let part = self.part(true);
                        word.push(part);
                    }
                    self.at += 1;
                }
                '\\' => {
                    let text = self.text[self.at + 1].to_string();
                    self.at += 2;
                    word.push(Part::text(text, true));
                }
                '<' | '>' if self.text.get(self.at + 1) == Some(&'(') => {
                    self.at += 2;
                    let body = Box::new(self.sequence(&[")"]));
                    self.expect(")");
                    let kind = match c {
                        '<' => PartKind::ProcessIn(body),
                        _ => PartKind::ProcessOut(body),
                    };
                    word.push(Part {
                        kind,
                        is_quoted: true,
                    });
                }
                c if c.is_whitespace() || ";()&|<>".contains(c) => break,
                '}' if start == self.at && word.is_empty() => break,
                _ => {
                    let part = self.part(false);
                    word.push(part);
                }
            }
        }
        (self.at > start).then_some(word)
    }

    fn up_to(&mut self, end: char) -> String {
        let mut text = String::new();
        while let Some(c) = self.peek().filter(|c| *c != end) {
            text.push(c);
            self.at += 1;
        }
        self.at += 1;
        text
    }

    /// What comes next of a word: text, or an expansion.
    fn part(&mut self, is_quoted: bool) -> Part {
        if self.peek() != Some('$') {
            return Part::text(self.plain(is_quoted), is_quoted);
        }
        self.at += 1;
        let kind = if self.takes("((") {
            self.sum()
        } else if self.takes("(") {
            let body = Box::new(self.sequence(&[")"]));
            self.expect(")");
            PartKind::Subst(body)
        } else if self.takes("{") {
            self.braced()
        } else {
            let name = self.parameter();
            match name.is_empty() {
                true => PartKind::Text("$".to_owned()),
                false => PartKind::Param(name, 0, vec![Word::new()]),
            }
        };
        Part { kind, is_quoted }
    }

    fn plain(&mut self, is_quoted: bool) -> String {
        let mut text = String::new();
        while let Some(c) = self.peek() {
            let ends = match is_quoted {
                true => "\"$",
                false => "'\"\\$;()&|<>",
            };
            if ends.contains(c) || !is_quoted && c.is_whitespace() {
                break;
            }
            let escapes = is_quoted && c == '\\';
            if escapes
                && self
                    .text
                    .get(self.at + 1)
                    .is_some_and(|c| "\"$\\`".contains(*c))
            {
                self.at += 1;
                text.push(self.text[self.at]);
            } else {
                text.push(c);
            }
            self.at += 1;
        }
        text
    }

    fn parameter(&mut self) -> String {
        match self.peek() {
            Some(c) if "?!$#@*".contains(c) => {
                self.at += 1;
                c.to_string()
            }
            _ => self.name(),
        }
    }

    fn sum(&mut self) -> PartKind {
        let text = self.up_to(')');
        self.at += 1;
        let text: String = text.replace(['$', ' '], "");
        let place = text.rfind(['+', '-', '*', '/', '%']).expect("an operator");
        let (left, right) = text.split_at(place);
        let operator = right.chars().next().expect("it is there");
        PartKind::Sum(left.to_owned(), operator, right[1..].to_owned())
    }

    /// What stands between `${` and `}`.
    fn braced(&mut self) -> PartKind {
        let is_length = self.rest_starts("#") && !self.rest_starts("#}");
        let prefix = match (is_length, self.rest_starts("!")) {
            (true, _) => Some(4),
            (false, true) => Some(15),
            (false, false) => None,
        };
        if let Some(code) = prefix {
            self.at += 1;
            let name = self.parameter();
            self.expect("}");
            return PartKind::Param(name, code, Vec::new());
        }
        let name = self.parameter();
        const FORMS: [(&str, u8); 16] = [
            (":-", 0),
            (":=", 1),
            (":?", 2),
            (":+", 3),
            ("##", 6),
            ("#", 5),
            ("%%", 8),
            ("%", 7),
            ("//", 10),
            ("/", 9),
            ("^^", 11),
            (",,", 12),
            ("^", 13),
            (",", 14),
            (":", 17),
            ("", 0),
        ];
        let form = FORMS.iter().find(|(token, _)| self.rest_starts(token));
        let (token, code) = form.expect("the last one always fits");
        self.takes(token);
        let words = match *code {
            9 | 10 => vec![self.inner("/"), self.inner("")],
            17 => vec![self.inner(":"), self.inner("")],
            11..=14 => Vec::new(),
            _ => vec![self.inner("")],
        };
        self.expect("}");
        PartKind::Param(name, *code, words)
    }

    /// A word within braces, up to `end`, which is taken, or the closing brace.
    fn inner(&mut self, end: &str) -> Word {
        let mut word = Word::new();
        while let Some(c) = self.peek() {
            if !end.is_empty() && self.takes(end) || c == '}' {
                break;
            }
            match c {
                '$' => word.push(self.part(true)),
                '\'' => {
                    self.at += 1;
                    word.push(Part::text(self.up_to('\''), true));
                }
                '\\' => {
                    word.push(Part::text(self.text[self.at + 1].to_string(), true));
                    self.at += 2;
                }
                c => {
                    word.push(Part::text(c.to_string(), false));
                    self.at += 1;
                }
            }
        }
        word
    }
}

impl Part {
    fn text(text: String, is_quoted: bool) -> Part {
        Part {
            kind: PartKind::Text(text),
            is_quoted,
        }
    }
}
