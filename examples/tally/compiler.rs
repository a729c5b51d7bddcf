//! From text to chunks, in one pass: the parser emits ops as it reads.
//!
//! ```text
//! program   = { function | statement } ;
//! function  = "fn" name "(" [ name { "," name } ] ")" block ;
//! block     = "{" { statement } "}" ;
//! statement = "let" name "=" expr | name "=" expr | "if" expr block [ "else" block ]
//!           | "while" expr block | "return" expr | "print" expr | expr ;
//! expr      = sum [ ( "<" | "==" | "~" ) sum ] ;
//! sum       = product { ( "+" | "-" | ".." ) product } ;
//! product   = primary { ( "*" | "/" | "%" ) primary } ;
//! primary   = number | string | name [ "(" [ expr { "," expr } ] ")" ] | "-" primary | "(" expr ")" ;
//! ```
//!
//! Each function is a chunk of its own, whose arguments are its first slots. What `let` declares in a
//! function is a slot, all other variables are globals.

use fusevm::chunk::{Effect, Import, ImportKind, Touches};
use fusevm::format::{Entry, WriteError};
use fusevm::{Chunk, ChunkBuilder, ModuleWriter, Op, Value};
use std::path::Path;

/// The chunk of the statements outside of functions.
pub(crate) const MAIN: &str = "main";
/// The name space of the language's handlers.
pub(crate) const SPACE: &str = "tally";
/// The builtin that tells a value's length.
pub(crate) const LENGTH: &str = "length";
/// The extension op that tells whether a text contains another.
pub(crate) const CONTAINS: &str = "contains";

/// How deep expressions and blocks may be nested: the parser calls itself for each.
const MAX_NESTING: usize = 200;

/// A text that is no program: where and why.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    source: String,
    line: u32,
    message: String,
}

impl std::error::Error for SyntaxError {}

impl std::fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.source, self.line, self.message)
    }
}

/// A compiled program: its chunks by name, the main one last.
pub(crate) struct Program(Vec<(String, Chunk)>);

impl Program {
    /// Writes the program to a module file.
    pub(crate) fn write_to(&self, path: impl AsRef<Path>) -> Result<(), WriteError> {
        let mut writer = ModuleWriter::create(path)?;
        for (name, chunk) in &self.0 {
            writer.add(&Entry::named(name), chunk)?;
        }
        writer.finish()?;
        Ok(())
    }

    /// The chunk of the statements.
    pub(crate) fn into_main(mut self) -> Option<Chunk> {
        self.0.pop().map(|(_, chunk)| chunk)
    }
}

/// Compiles a text; `source` is what messages call it.
pub(crate) fn compile(source: &str, text: &str) -> Result<Program, SyntaxError> {
    let mut parser = Parser::new(source, text)?;
    let mut program = Vec::new();
    while !parser.at("") {
        if parser.take("fn") {
            program.push(parser.function()?);
        } else {
            parser.statement()?;
        }
    }
    program.push((MAIN.to_owned(), parser.code.builder.build()));
    Ok(Program(program))
}

/// A word, number, string or sign, and its line. A string keeps its first quote; the last token is
/// empty.
type Token<'t> = (&'t str, u32);

/// Splits a text into tokens.
fn tokens<'t>(source: &str, text: &'t str) -> Result<Vec<Token<'t>>, SyntaxError> {
    let (mut tokens, mut line, mut rest) = (Vec::new(), 1, text);
    while let Some(first) = rest.chars().next() {
        let while_is = |is: fn(char) -> bool| rest.find(|c| !is(c)).unwrap_or(rest.len());
        let length = match first {
            '#' => rest.find('\n').unwrap_or(rest.len()),
            c if c.is_whitespace() => c.len_utf8(),
            '"' => match rest[1..].find(['"', '\n']) {
                Some(end) if rest.as_bytes()[end + 1] == b'"' => end + 2,
                _ => {
                    return Err(SyntaxError {
                        source: source.to_owned(),
                        line,
                        message: "this text has no end".to_owned(),
                    });
                }
            },
            c if c.is_ascii_digit() => while_is(|c| c.is_ascii_digit()),
            c if c.is_alphabetic() => while_is(|c| c.is_alphanumeric() || c == '_'),
            _ if rest.starts_with("==") || rest.starts_with("..") => 2,
            c => c.len_utf8(),
        };
        if !first.is_whitespace() && first != '#' {
            tokens.push((&rest[..length], line));
        }
        line += u32::from(first == '\n');
        rest = &rest[length..];
    }
    tokens.push(("", line));
    Ok(tokens)
}

/// The chunk that is being emitted.
#[derive(Default)]
struct Code {
    builder: ChunkBuilder,
    /// The variables of a function, by slot; `None` in the main chunk.
    slots: Option<Vec<String>>,
}

struct Parser<'t> {
    source: &'t str,
    tokens: Vec<Token<'t>>,
    next: usize,
    nesting: usize,
    code: Code,
}

type Parsed<T = ()> = Result<T, SyntaxError>;

impl<'t> Parser<'t> {
    fn new(source: &'t str, text: &'t str) -> Parsed<Self> {
        let mut parser = Parser {
            source,
            tokens: tokens(source, text)?,
            next: 0,
            nesting: 0,
            code: Code::default(),
        };
        parser.code.builder.set_source(source);
        Ok(parser)
    }

    fn peek(&self) -> &'t str {
        self.tokens[self.next].0
    }

    fn line(&self) -> u32 {
        self.tokens[self.next].1
    }

    fn at(&self, token: &str) -> bool {
        self.peek() == token
    }

    /// Goes past the token, if it is this one.
    fn take(&mut self, token: &str) -> bool {
        let is_there = self.at(token);
        self.next += usize::from(is_there);
        is_there
    }

    fn expect(&mut self, token: &str) -> Parsed {
        match self.take(token) {
            true => Ok(()),
            false => self.fail(format!("expected `{token}`, found `{}`", self.peek())),
        }
    }

    fn name(&mut self) -> Parsed<&'t str> {
        let token = self.peek();
        if !token.starts_with(char::is_alphabetic) {
            return self.fail(format!("expected a name, found `{token}`"));
        }
        self.next += 1;
        Ok(token)
    }

    fn fail<T>(&self, message: String) -> Parsed<T> {
        Err(SyntaxError {
            source: self.source.to_owned(),
            line: self.line(),
            message,
        })
    }

    /// Emits an op that comes from the token before the next one.
    fn emit(&mut self, op: Op) -> usize {
        let line = self.tokens[self.next.saturating_sub(1)].1;
        self.code.builder.emit(op, line)
    }

    fn name_index(&mut self, name: &str) -> Parsed<u16> {
        match self.code.builder.try_add_name(name) {
            Some(index) => Ok(index),
            None => self.fail("there are too many names".to_owned()),
        }
    }

    /// Parses something that may hold more of its kind, not too deep.
    fn nested(&mut self, parse: impl FnOnce(&mut Self) -> Parsed) -> Parsed {
        self.nesting += 1;
        if self.nesting > MAX_NESTING {
            return self.fail("this is nested too deep".to_owned());
        }
        parse(self)?;
        self.nesting -= 1;
        Ok(())
    }

    /// A list in parentheses, whose first is behind; how many there were.
    fn list(&mut self, mut item: impl FnMut(&mut Self) -> Parsed) -> Parsed<u8> {
        let mut count = 0_u8;
        while !self.take(")") {
            if count > 0 {
                self.expect(",")?;
            }
            item(self)?;
            match count.checked_add(1) {
                Some(more) => count = more,
                None => return self.fail("a list has at most 255 elements".to_owned()),
            }
        }
        Ok(count)
    }

    /// `fn` is behind: the function's name and chunk.
    fn function(&mut self) -> Parsed<(String, Chunk)> {
        let name = self.name()?.to_owned();
        let mut code = Code::default();
        code.builder.set_source(self.source);
        let main = std::mem::replace(&mut self.code, code);
        let mut slots = Vec::new();
        self.expect("(")?;
        self.list(|parser| {
            slots.push(parser.name()?.to_owned());
            Ok(())
        })?;
        self.code.slots = Some(slots);
        self.block()?;
        self.emit(Op::LoadUndef);
        self.emit(Op::ReturnValue);
        let code = std::mem::replace(&mut self.code, main);
        Ok((name, code.builder.build()))
    }

    fn block(&mut self) -> Parsed {
        self.nested(|parser| {
            parser.expect("{")?;
            while !parser.take("}") {
                parser.statement()?;
            }
            Ok(())
        })
    }

    fn statement(&mut self) -> Parsed {
        if self.take("let") {
            let name = self.name()?;
            self.declare(name)?;
            self.expect("=")?;
            self.expr()?;
            return self.store(name);
        }
        if self.take("if") {
            return self.branch();
        }
        if self.take("while") {
            return self.repeat();
        }
        if self.take("print") {
            self.expr()?;
            self.emit(Op::PrintLn(1));
            return Ok(());
        }
        if self.take("return") {
            self.expr()?;
            self.emit(Op::ReturnValue);
            return Ok(());
        }
        let assigns = self
            .tokens
            .get(self.next + 1)
            .is_some_and(|token| token.0 == "=");
        if assigns {
            let name = self.name()?;
            self.expect("=")?;
            self.expr()?;
            return self.store(name);
        }
        self.expr()?;
        self.emit(Op::Pop);
        Ok(())
    }

    /// `if` is behind.
    fn branch(&mut self) -> Parsed {
        self.expr()?;
        let to_else = self.emit(Op::JumpIfFalse(0));
        self.block()?;
        if !self.take("else") {
            return self.land(to_else);
        }
        let to_end = self.emit(Op::Jump(0));
        self.land(to_else)?;
        self.block()?;
        self.land(to_end)
    }

    /// `while` is behind.
    fn repeat(&mut self) -> Parsed {
        let head = self.code.builder.current_pos();
        self.expr()?;
        let to_end = self.emit(Op::JumpIfFalse(0));
        self.block()?;
        self.emit(Op::Jump(head));
        self.land(to_end)
    }

    /// Has a jump go to the next op.
    fn land(&mut self, jump: usize) -> Parsed {
        let here = self.code.builder.current_pos();
        self.code.builder.patch_jump(jump, here);
        Ok(())
    }

    /// Makes a variable of a function, which is a slot.
    fn declare(&mut self, name: &str) -> Parsed {
        let Some(slots) = &mut self.code.slots else {
            return Ok(());
        };
        if slots.len() > usize::from(u16::MAX) {
            return self.fail("a function has at most 65536 variables".to_owned());
        }
        slots.push(name.to_owned());
        Ok(())
    }

    fn slot(&self, name: &str) -> Option<u16> {
        let slots = self.code.slots.as_deref()?;
        // Of two of the same name the later one counts. `declare` keeps the number within bounds.
        slots
            .iter()
            .rposition(|slot| slot == name)
            .map(|slot| slot as u16)
    }

    fn store(&mut self, name: &str) -> Parsed {
        let op = match self.slot(name) {
            Some(slot) => Op::SetSlot(slot),
            None => Op::SetVar(self.name_index(name)?),
        };
        self.emit(op);
        Ok(())
    }

    fn expr(&mut self) -> Parsed {
        self.nested(|parser| {
            parser.sum()?;
            for (sign, op) in [("<", Some(Op::NumLt)), ("==", Some(Op::StrEq)), ("~", None)] {
                if parser.take(sign) {
                    parser.sum()?;
                    let op = op.unwrap_or_else(|| parser.contains());
                    parser.emit(op);
                    break;
                }
            }
            Ok(())
        })
    }

    fn sum(&mut self) -> Parsed {
        let signs = [("+", Op::Add), ("-", Op::Sub), ("..", Op::Concat)];
        self.chain(&signs, Self::product)
    }

    fn product(&mut self) -> Parsed {
        let signs = [("*", Op::Mul), ("/", Op::Div), ("%", Op::Mod)];
        self.chain(&signs, Self::primary)
    }

    /// Operands with any of these signs between them, from the left.
    fn chain(&mut self, signs: &[(&str, Op)], operand: fn(&mut Self) -> Parsed) -> Parsed {
        operand(self)?;
        while let Some((_, op)) = signs.iter().find(|(sign, _)| self.at(sign)) {
            self.next += 1;
            operand(self)?;
            self.emit(op.clone());
        }
        Ok(())
    }

    fn primary(&mut self) -> Parsed {
        let token = self.peek();
        if self.take("(") {
            self.expr()?;
            return self.expect(")");
        }
        if self.take("-") {
            self.nested(Self::primary)?;
            self.emit(Op::Negate);
            return Ok(());
        }
        if let Some(text) = token.strip_prefix('"') {
            let text = Value::str(text.trim_end_matches('"'));
            let Some(constant) = self.code.builder.try_add_constant(text) else {
                return self.fail("there are too many texts".to_owned());
            };
            self.next += 1;
            self.emit(Op::LoadConst(constant));
            return Ok(());
        }
        if token.starts_with(|c: char| c.is_ascii_digit()) {
            let Ok(number) = token.parse() else {
                return self.fail(format!("{token} is too large"));
            };
            self.next += 1;
            self.emit(Op::LoadInt(number));
            return Ok(());
        }
        let name = self.name()?;
        if self.take("(") {
            return self.call(name);
        }
        let op = match self.slot(name) {
            Some(slot) => Op::GetSlot(slot),
            None => Op::GetVar(self.name_index(name)?),
        };
        self.emit(op);
        Ok(())
    }

    /// A call, whose arguments come next: of the builtin, or of a function wherever it is.
    fn call(&mut self, name: &str) -> Parsed {
        let argc = self.list(Self::expr)?;
        let op = match name {
            LENGTH => {
                self.import(ImportKind::Builtin, LENGTH, Effect::Arguments { pushes: 1 });
                Op::CallBuiltin(0, argc)
            }
            name => Op::Call(self.name_index(name)?, argc),
        };
        self.emit(op);
        Ok(())
    }

    /// The extension op, which has to be declared, as fusevm can't know what it does to the stack.
    fn contains(&mut self) -> Op {
        let effect = Effect::Fixed { pops: 2, pushes: 1 };
        self.import(ImportKind::Extension, CONTAINS, effect);
        Op::Extended(0, 0)
    }

    /// Declares a handler of the language. The first declaration of a handler counts.
    fn import(&mut self, kind: ImportKind, name: &str, effect: Effect) {
        self.code.builder.declare_import(Import {
            kind,
            id: 0,
            space: SPACE.to_owned(),
            name: name.to_owned(),
            effect,
            touches: Touches::ARGUMENTS,
        });
    }
}
