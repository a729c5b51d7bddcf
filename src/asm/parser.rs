//! The parser: lines of tokens to modules. One error ends its line; the next line goes on.

use super::cursor::Cursor;
use super::error::{Complaint, MAX_ERRORS, Span};
use super::lexer::{Lexer, Token, TokenKind, quote};
use super::tables::{Symbol, Tables};
use super::{Assembly, directive, literal, words};
use crate::chunk::ImportKind;
use crate::code::Code;
use crate::op::{INFO, Op, OpInfo, Operand, OperandInfo, OperandKind};
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// The name of the chunk that ops belong to which no `.chunk` precedes.
const DEFAULT_CHUNK: &str = "main";

static MNEMONICS: LazyLock<HashMap<&str, &OpInfo>> =
    LazyLock::new(|| INFO.iter().map(|info| (info.mnemonic, info)).collect());

/// A text on its way to a module.
pub(super) struct Parser<'t> {
    complaints: Vec<Complaint>,
    pub(super) assembly: Assembly,
    /// The chunk at hand, and where its text began.
    pub(super) chunk: Option<(Tables<'t>, Span)>,
    chunk_names: HashSet<(String, String)>,
    line: u32,
}

/// Reads a whole text.
///
/// # Errors
/// All that is wrong with it, in no order: at least one complaint, at most [`MAX_ERRORS`].
pub(super) fn parse(text: &str) -> Result<Assembly, Vec<Complaint>> {
    let mut parser = Parser {
        complaints: Vec::new(),
        assembly: Assembly::default(),
        chunk: None,
        chunk_names: HashSet::new(),
        line: 0,
    };
    let mut lexer = Lexer::new(text);
    let mut tokens = Vec::new();
    while let Some(end) = lexer.next_line(&mut tokens) {
        parser.line = parser.line.saturating_add(1);
        let read = end.and_then(|end| parser.line(&mut Cursor::new(text, &tokens, end)));
        if let Err(complaint) = read {
            parser.complain(complaint);
            if parser.complaints.len() == MAX_ERRORS {
                return Err(parser.complaints);
            }
        }
    }
    parser.finish_chunk();
    match parser.complaints.is_empty() {
        true => Ok(parser.assembly),
        false => Err(parser.complaints),
    }
}

impl<'t> Parser<'t> {
    fn complain(&mut self, complaint: Complaint) {
        if self.complaints.len() < MAX_ERRORS {
            self.complaints.push(complaint);
        }
    }

    /// Reads a line: labels, then an op or a directive, each of which may be missing.
    fn line(&mut self, cursor: &mut Cursor<'_, 't>) -> Result<(), Complaint> {
        while let Some(span) = cursor.take_label() {
            self.tables(span).define_label(cursor.text(span), span)?;
        }
        let Some(token) = cursor.peek() else {
            return Ok(());
        };
        match token.kind {
            TokenKind::Directive => directive::read(self, cursor),
            _ => self.op(cursor),
        }
    }

    /// The tables of the chunk at hand; the default chunk's if there is none yet.
    pub(super) fn tables(&mut self, span: Span) -> &mut Tables<'t> {
        let open = || (Tables::new(DEFAULT_CHUNK.to_owned()), span);
        &mut self.chunk.get_or_insert_with(open).0
    }

    /// Ends the chunk at hand, if there is one.
    pub(super) fn finish_chunk(&mut self) {
        let Some((tables, span)) = self.chunk.take() else {
            return;
        };
        let (entry, chunk) = tables.finish(span, &mut |complaint| self.complain(complaint));
        let name = (entry.space.clone(), entry.name.clone());
        if !self.chunk_names.insert(name) {
            let message = format!("the chunk `{}` is already there", quote(&entry.name));
            self.complain(Complaint::new(Code::DuplicateSymbol, span, message));
        }
        self.assembly.chunks.push((entry, chunk));
    }

    /// An op with its operands.
    fn op(&mut self, cursor: &mut Cursor<'_, 't>) -> Result<(), Complaint> {
        let (mnemonic, span) = cursor.word("a mnemonic")?;
        let info = MNEMONICS.get(mnemonic).copied();
        let info = info.ok_or_else(|| unknown_mnemonic(mnemonic, span))?;
        let mut operands = [Operand::Int(0); 4];
        let mut symbols = Vec::new();
        for (index, operand) in info.operands.iter().enumerate() {
            let read = self.operand(info, operand, span, cursor);
            operands[index] = match read.map_err(|complaint| show_operands(complaint, info))? {
                Read::Number(number) => number,
                Read::Symbol(symbol, span, unresolved) => {
                    symbols.push((index, symbol, span));
                    unresolved
                }
            };
        }
        let finished = cursor.finish();
        finished.map_err(|complaint| show_operands(complaint, info))?;
        let op = Op::from_operands(info.byte, &operands[..info.operands.len()]);
        let op = op.expect("the operands have the row's kinds");
        let line = self.line;
        self.tables(span).emit(op, symbols, line, span)
    }

    fn operand(
        &mut self,
        info: &OpInfo,
        operand: &OperandInfo,
        span: Span,
        cursor: &mut Cursor<'_, 't>,
    ) -> Result<Read<'t>, Complaint> {
        let name = operand.name;
        let mut number = |max: u64| {
            let n = cursor.int(0..=i128::from(max), name)?;
            Ok::<u64, Complaint>(n as u64)
        };
        const U8: u64 = u8::MAX as u64;
        const U16: u64 = u16::MAX as u64;
        Ok(Read::Number(match operand.kind {
            OperandKind::Int => {
                let range = i128::from(i64::MIN)..=i128::from(i64::MAX);
                Operand::Int(cursor.int(range, name)? as i64)
            }
            OperandKind::Imm => {
                let range = i128::from(i32::MIN)..=i128::from(i32::MAX);
                Operand::Imm(cursor.int(range, name)? as i32)
            }
            OperandKind::Count => Operand::Count(number(U16)? as u16),
            OperandKind::Count8 => Operand::Count8(number(U8)? as u8),
            OperandKind::Argc => Operand::Argc(number(U8)? as u8),
            OperandKind::Payload => Operand::Payload(number(usize::MAX as u64)? as usize),
            OperandKind::Float => {
                let token = cursor.next("a float")?;
                let number = literal::float(cursor, token)?;
                let wrong = || cursor.wrong(token, "a float such as 1.0");
                Operand::Float(number.ok_or_else(wrong)?)
            }
            OperandKind::Code => Operand::Code(code(operand, cursor)?),
            OperandKind::Const => Operand::Const(self.constant(span, cursor)?),
            OperandKind::Name => Operand::Name(self.name(span, cursor)?),
            OperandKind::Slot => Operand::Slot(self.slot(span, cursor)?),
            OperandKind::Target => return target(cursor),
            OperandKind::Block => return block(cursor),
            OperandKind::Id => return import(info, cursor),
        }))
    }

    /// `#n`, the name of a constant, or a constant itself.
    fn constant(&mut self, span: Span, cursor: &mut Cursor<'_, 't>) -> Result<u16, Complaint> {
        match cursor.peek() {
            Some(token) if matches!(token.kind, TokenKind::Index(_)) => table_index(cursor),
            Some(token)
                if token.kind == TokenKind::Word
                    && !literal::is_reserved(cursor.text(token.span)) =>
            {
                let (name, at) = cursor.word("a constant")?;
                let index = self.tables(span).named_constant(name);
                index.ok_or_else(|| {
                    let message = format!("no constant `{}` is declared before", quote(name));
                    Complaint::new(Code::UnknownSymbol, at, message)
                        .help("declare it with `.const NAME VALUE`, or put text in quotes")
                })
            }
            _ => {
                let value = literal::parse(cursor)?;
                self.tables(span).intern_constant(value, span)
            }
        }
    }

    /// `#n`, or a name.
    pub(super) fn name(
        &mut self,
        span: Span,
        cursor: &mut Cursor<'_, 't>,
    ) -> Result<u16, Complaint> {
        match cursor.peek() {
            Some(token) if matches!(token.kind, TokenKind::Index(_)) => table_index(cursor),
            _ => {
                let (name, at) = cursor.name("a name")?;
                self.tables(span).intern_name(name, at)
            }
        }
    }

    /// The number or the name of a slot.
    fn slot(&mut self, span: Span, cursor: &mut Cursor<'_, 't>) -> Result<u16, Complaint> {
        match cursor.peek() {
            Some(token) if token.kind == TokenKind::Word => {
                self.tables(span).slot(cursor.word("a slot")?.0, token.span)
            }
            _ => Ok(cursor.int(0..=i128::from(u16::MAX), "a slot")? as u16),
        }
    }
}

/// An operand as it was read.
pub(super) enum Read<'t> {
    Number(Operand),
    /// A symbol to be resolved, its place, and what stands for it until then.
    Symbol(Symbol<'t>, Span, Operand),
}

/// `@n`, or a label.
pub(super) fn target<'t>(cursor: &mut Cursor<'_, 't>) -> Result<Read<'t>, Complaint> {
    const EXPECTED: &str = "a label or `@` and an op's index";
    let token = cursor.next(EXPECTED)?;
    match token.kind {
        TokenKind::At(index) => {
            let index = usize::try_from(index).map_err(|_| cursor.wrong(token, EXPECTED))?;
            Ok(Read::Number(Operand::Target(index)))
        }
        TokenKind::Word => {
            let label = Symbol::Label(cursor.text(token.span));
            Ok(Read::Symbol(label, token.span, Operand::Target(0)))
        }
        _ => Err(cursor.wrong(token, EXPECTED)),
    }
}

/// `#n`, or the name of a block.
fn block<'t>(cursor: &mut Cursor<'_, 't>) -> Result<Read<'t>, Complaint> {
    match cursor.peek() {
        Some(token) if matches!(token.kind, TokenKind::Index(_)) => {
            Ok(Read::Number(Operand::Block(table_index(cursor)?)))
        }
        _ => {
            let (name, span) = cursor.word("a block's name")?;
            Ok(Read::Symbol(Symbol::Block(name), span, Operand::Block(0)))
        }
    }
}

/// The number of a handler, or its name in the import table.
fn import<'t>(info: &OpInfo, cursor: &mut Cursor<'_, 't>) -> Result<Read<'t>, Complaint> {
    let by_number = cursor
        .peek()
        .is_none_or(|token| matches!(token.kind, TokenKind::Int(_)));
    if by_number {
        let id = cursor.int(0..=i128::from(u16::MAX), "a handler's number or name")?;
        return Ok(Read::Number(Operand::Id(id as u16)));
    }
    let (name, span) = cursor.name("a handler's number or name")?;
    let kind = kind_called_by(info);
    let symbol = Symbol::Import(kind, name);
    Ok(Read::Symbol(symbol, span, Operand::Id(0)))
}

/// The kind of import that the op's number is of.
pub(super) fn kind_called_by(info: &OpInfo) -> ImportKind {
    let mut kinds = [
        (Op::CallBuiltin(0, 0), ImportKind::Builtin),
        (Op::Extended(0, 0), ImportKind::Extension),
        (Op::ExtendedWide(0, 0), ImportKind::ExtensionWide),
    ]
    .into_iter();
    let kind = kinds.find(|(op, _)| op.opcode() == info.byte);
    kind.expect("only these ops have an Id").1
}

/// A code, or the word for it.
fn code(operand: &OperandInfo, cursor: &mut Cursor<'_, '_>) -> Result<u8, Complaint> {
    let words = words::of_codes(operand);
    match cursor.peek() {
        Some(token) if token.kind == TokenKind::Word && !words.is_empty() => {
            let (word, span) = cursor.word(operand.name)?;
            let code = words.iter().find(|(_, name)| *name == word);
            code.map(|(code, _)| *code).ok_or_else(|| {
                let known: Vec<&str> = words.iter().map(|(_, name)| *name).collect();
                let message = format!("`{}` is no {}", quote(word), operand.name);
                let help = format!("it is one of {}, or a number", known.join(", "));
                Complaint::new(Code::WrongOperand, span, message).help(help)
            })
        }
        _ => Ok(cursor.int(0..=i128::from(u8::MAX), operand.name)? as u8),
    }
}

/// An index of a table.
fn table_index(cursor: &mut Cursor<'_, '_>) -> Result<u16, Complaint> {
    const EXPECTED: &str = "an index from #0 to #65535";
    let token: &Token = cursor.next(EXPECTED)?;
    match token.kind {
        TokenKind::Index(index) => u16::try_from(index).map_err(|_| cursor.wrong(token, EXPECTED)),
        _ => Err(cursor.wrong(token, EXPECTED)),
    }
}

fn unknown_mnemonic(mnemonic: &str, span: Span) -> Complaint {
    let message = format!("there is no op `{}`", quote(mnemonic));
    let complaint = Complaint::new(Code::UnknownMnemonic, span, message);
    match words::nearest(mnemonic, INFO.iter().map(|info| info.mnemonic)) {
        Some(near) => complaint.help(format!("did you mean `{near}`?")),
        None => complaint,
    }
}

/// Tells the op's operands where there are too few, too many or wrong ones.
fn show_operands(complaint: Complaint, info: &OpInfo) -> Complaint {
    let of_operands = matches!(
        complaint.code,
        Code::MissingOperand | Code::ExtraOperand | Code::WrongOperand
    );
    if !of_operands || complaint.help.is_some() {
        return complaint;
    }
    let mnemonic = info.mnemonic;
    let names: Vec<&str> = info.operands.iter().map(|operand| operand.name).collect();
    match names.as_slice() {
        [] => complaint.help(format!("`{mnemonic}` takes no operand")),
        names => {
            let names = names.join(" ").to_uppercase();
            complaint.help(format!("write `{mnemonic} {names}`"))
        }
    }
}
