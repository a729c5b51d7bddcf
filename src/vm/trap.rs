//! Traps: why a run was ended, where, and by which calls it came there.

use super::{SCOPE, VM};
use crate::chunk::Chunk;
use crate::code::Code;
use crate::engine::Unit;
use crate::op::Op;
use std::fmt;
use std::sync::Arc;

/// How many calls a trap lists: those next to it, and those next to the beginning of the program.
const NEAREST: usize = 48;
const OUTERMOST: usize = 16;

/// How many characters of a name or a message a trap shows.
const SHOWN: usize = 256;

/// A reason to end the run, before it is known where.
#[derive(Debug)]
pub(super) struct Fault(Box<(Code, String)>);

/// What an op gives that may end the run.
pub(super) type Step<T = ()> = Result<T, Fault>;

impl Fault {
    /// A fault whose code says it all.
    #[cold]
    pub(super) fn of(code: Code) -> Fault {
        Fault::new(code, code.title())
    }

    /// A fault with a message of its own.
    #[cold]
    pub(super) fn new(code: Code, message: impl Into<String>) -> Fault {
        Fault(Box::new((code, message.into())))
    }

    /// The fault of a call of something that doesn't exist, in the words of the 0.9 line.
    #[cold]
    pub(super) fn undefined(name: &str) -> Fault {
        Fault::new(Code::UnknownSub, format!("undefined function: {name}"))
    }
}

/// The end of a run that is no end of the program: a limit, an error of the program, or something
/// that the host refuses.
///
/// As text it has several lines: the code and the message, the place, the calls that led there, and
/// what can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap(Box<Report>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Report {
    code: Code,
    message: String,
    site: CallSite,
    callers: Vec<CallSite>,
    omitted: usize,
}

/// A place in the code that was being run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSite {
    /// The index of the op.
    pub op: usize,
    /// The op's mnemonic, if there is an op of that index.
    pub mnemonic: Option<&'static str>,
    /// The source line, if it is known.
    pub line: Option<u32>,
    /// The sub that it is in, as its caller names it; `None` at the top level.
    pub sub: Option<String>,
    /// The name of the source of the chunk that it is in, or else of the chunk; may be empty.
    pub source: String,
}

impl Trap {
    /// The trap of a fault in the op at `vm.ip`.
    #[cold]
    pub(super) fn at(fault: Fault, vm: &VM) -> Trap {
        let (code, message) = *fault.0;
        let (site, callers, omitted) = call_chain(vm);
        Trap(Box::new(Report {
            code,
            message,
            site,
            callers,
            omitted,
        }))
    }

    /// The row of the error table.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What happened.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The name of the chunk's source; may be empty.
    pub fn source(&self) -> &str {
        &self.0.site.source
    }

    /// Where it happened.
    pub fn site(&self) -> &CallSite {
        &self.0.site
    }

    /// The calls that were active, the innermost first. Of a long chain the middle is left out:
    /// [`omitted_callers`](Trap::omitted_callers) calls before the last 16.
    pub fn callers(&self) -> &[CallSite] {
        &self.0.callers
    }

    /// How many active calls [`callers`](Trap::callers) leaves out.
    pub fn omitted_callers(&self) -> usize {
        self.0.omitted
    }
}

impl std::error::Error for Trap {}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report {
            code,
            message,
            site,
            callers,
            omitted,
        } = &*self.0;
        write!(f, "trap[{code}]: {}", Shown(message))?;
        write!(f, "\n  --> {}", Place(site))?;
        let split = if *omitted > 0 { NEAREST } else { callers.len() };
        for (place, caller) in callers.iter().enumerate() {
            if place == split {
                write!(f, "\n  ... {omitted} more calls")?;
            }
            write!(f, "\n  called from {}", Place(caller))?;
        }
        write!(f, "\n  help: {}", code.help())
    }
}

/// `SOURCE:LINE in SUB (op N, MNEMONIC)`, without what isn't known.
struct Place<'a>(&'a CallSite);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place(site) = *self;
        match (site.source.as_str(), site.line) {
            ("", None) => f.write_str("the chunk")?,
            ("", Some(line)) => write!(f, "line {line}")?,
            (source, None) => write!(f, "{}", Shown(source))?,
            (source, Some(line)) => write!(f, "{}:{line}", Shown(source))?,
        }
        if let Some(sub) = &site.sub {
            write!(f, " in {}", Shown(sub))?;
        }
        match site.mnemonic {
            Some(mnemonic) => write!(f, " (op {}, {mnemonic})", site.op),
            None => write!(f, " (op {})", site.op),
        }
    }
}

/// Text from a program, cut to a bearable length and with its control characters escaped, so that
/// it can't speak to the terminal.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for (place, c) in self.0.chars().enumerate() {
            if place == SHOWN {
                return f.write_str("…");
            }
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// The place of the op at `vm.ip`, the calls that led there, and how many of them are left out.
pub(super) fn call_chain(vm: &VM) -> (CallSite, Vec<CallSite>, usize) {
    // Of each active call the unit of the caller, and the op.
    let mut callers = vm.link.callers().peekable();
    let mut unit = vm.link.unit();
    let mut calls: Vec<Site<'_>> = Vec::new();
    for (index, frame) in vm.frames.iter().enumerate().rev() {
        if frame.return_ip == SCOPE {
            continue;
        }
        while let Some((_, caller)) = callers.next_if(|(frame, _)| *frame >= index) {
            unit = Some(caller);
        }
        if let Some(op) = frame.return_ip.checked_sub(1)
            && op < chunk_of(vm, unit).ops.len()
        {
            calls.push((unit, op));
        }
    }
    let omitted = calls.len().saturating_sub(NEAREST + OUTERMOST);
    let site = site_of(vm, (vm.link.unit(), vm.ip), calls.first());
    let callers = calls
        .iter()
        .enumerate()
        .filter(|(place, _)| omitted == 0 || !(NEAREST..NEAREST + omitted).contains(place))
        .map(|(place, call)| site_of(vm, *call, calls.get(place + 1)))
        .collect();
    (site, callers, omitted)
}

/// The chunk of a unit, or the VM's own.
fn chunk_of<'a>(vm: &'a VM, unit: Option<&'a Arc<Unit>>) -> &'a Chunk {
    unit.map_or(&vm.chunk, |unit| unit.chunk())
}

/// An op in a unit.
type Site<'a> = (Option<&'a Arc<Unit>>, usize);

/// The place of an op, in the sub or function that the op at `caller` called.
fn site_of(vm: &VM, (unit, op): Site<'_>, caller: Option<&Site<'_>>) -> CallSite {
    let sub = caller.and_then(|(unit, caller)| {
        let chunk = chunk_of(vm, *unit);
        match chunk.ops.get(*caller) {
            Some(Op::Call(name, _)) => chunk.names.get(usize::from(*name)).cloned(),
            _ => None,
        }
    });
    let chunk = chunk_of(vm, unit);
    let source = match (chunk.source.as_str(), unit) {
        ("", Some(unit)) => unit.name().to_owned(),
        (source, _) => source.to_owned(),
    };
    CallSite {
        op,
        mnemonic: chunk.ops.get(op).map(|op| op.info().mnemonic),
        line: chunk.line(op),
        sub,
        source,
    }
}
