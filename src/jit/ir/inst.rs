//! Instructions one at a time: where they go on, what they read and write.

use super::body::Frame;
use crate::lower::code::{Code, REGISTER_BYTES, Rop, Word, flag};

/// Where an instruction stands in the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    pub(crate) region: u32,
    /// Its position in the region's code, in words.
    pub(crate) at: u32,
    /// The frame of the function that it belongs to.
    pub(crate) frame: u16,
}

/// What an instruction is to the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// What its opcode says.
    Plain,
    /// A call whose sub is inlined and follows. The immediate is the number of arguments.
    Enter,
    /// The return of an inlined sub: goes on behind it.
    Rejoin,
    /// Where the piece of a region that the function is ends, and others go on. The immediate is its number
    /// among these.
    Part,
}

/// An instruction of a function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inst {
    pub(crate) op: Rop,
    pub(crate) word: Word,
    /// The second word; 0 if there is none.
    pub(crate) immediate: u64,
    pub(crate) site: Site,
    /// How many registers its frame is above the function's own.
    shift: u16,
    pub(crate) role: Role,
    /// The instruction that it branches to, if it does.
    pub(crate) target: u32,
}

impl Inst {
    /// The instruction as one of the frame with this number.
    pub(super) fn within(mut self, frame: usize, of: &Frame) -> Inst {
        self.site.region = of.region as u32;
        self.site.frame = frame as u16;
        self.shift = of.shift as u16;
        self
    }

    /// The instruction as a call of a region, with the window moved up as it says; without one native code
    /// is left there.
    pub(super) fn calling(self, region: Option<usize>) -> Inst {
        let Some(region) = region else {
            return Inst {
                op: Rop::Leave,
                ..self
            };
        };
        let (low, high) = (region as u16, (region >> 16) as u16);
        Inst {
            op: Rop::Call,
            word: Word::new(Rop::Call, 0, self.word.a(), low, high),
            ..self
        }
    }

    /// What stands where control comes to the instruction from a piece that ends before it.
    pub(super) fn parting(self, number: usize) -> Inst {
        Inst {
            op: Rop::Leave,
            immediate: number as u64,
            role: Role::Part,
            ..self
        }
    }

    /// The end of a chunk's code as the return from a call of it.
    pub(super) fn returning(self) -> Inst {
        let op = match self.word.flags() & flag::GIVES {
            0 => Rop::Return,
            _ => Rop::ReturnValue,
        };
        Inst {
            op,
            word: Word::new(op, 0, self.word.b(), self.word.a(), 0),
            immediate: 0,
            ..self
        }
    }

    /// What begins a call of a chunk's code: so many registers behind its arguments become Undef.
    pub(super) fn clearing(argc: usize, registers: u16) -> Inst {
        let first = (argc * REGISTER_BYTES) as u16;
        Inst::of_word(Word::new(Rop::Clear, 0, first, registers, 0), 0, 0)
    }

    /// The instruction at a position, of no function.
    pub(crate) fn at(code: &Code, at: usize) -> Inst {
        let word = Word(code.words[at]);
        let immediate = match word.op().words() {
            2 => code.words[at + 1],
            _ => 0,
        };
        Inst::of_word(word, immediate, at)
    }

    fn of_word(word: Word, immediate: u64, at: usize) -> Inst {
        Inst {
            op: word.op(),
            word,
            immediate,
            site: Site {
                region: 0,
                at: at as u32,
                frame: 0,
            },
            shift: 0,
            role: Role::Plain,
            target: 0,
        }
    }

    /// The first register of its frame.
    pub(crate) fn shift(&self) -> usize {
        usize::from(self.shift)
    }

    /// The register of field `a`.
    pub(crate) fn a(&self) -> usize {
        self.register(self.word.a())
    }

    /// The register of field `b`.
    pub(crate) fn b(&self) -> usize {
        self.register(self.word.b())
    }

    /// The register of field `c`.
    pub(crate) fn c(&self) -> usize {
        self.register(self.word.c())
    }

    fn register(&self, field: u16) -> usize {
        usize::from(field) / REGISTER_BYTES + self.shift()
    }

    /// The region that a call goes to.
    pub(crate) fn callee(&self) -> usize {
        self.word.wide() as usize
    }

    /// The position that it branches to, if it does.
    pub(crate) fn target_position(&self) -> Option<usize> {
        match self.flow_within() {
            Flow::Jump(target) | Flow::Branch(target) => Some(target),
            Flow::Next | Flow::End => None,
        }
    }

    /// Where control goes in the region's code.
    pub(super) fn flow_within(&self) -> Flow {
        let from = self.site.at as usize;
        let wide = || from.wrapping_add_signed(self.word.wide() as i32 as isize);
        match self.op {
            Rop::Jump | Rop::Loop => Flow::Jump(wide()),
            Rop::IfTrue | Rop::IfFalse => Flow::Branch(wide()),
            Rop::Leave | Rop::CallLinked | Rop::End => Flow::End,
            op if is_return(op) => Flow::End,
            op if Branch::of(op).is_some() => {
                Flow::Branch(from.wrapping_add_signed(self.word.c() as i16 as isize))
            }
            _ => Flow::Next,
        }
    }

    /// Where control goes in the function: instructions by index.
    pub(crate) fn flow(&self) -> Flow {
        let target = self.target as usize;
        match (self.role, self.flow_within()) {
            (Role::Rejoin, _) => Flow::Jump(target),
            (Role::Enter, _) => Flow::Next,
            (Role::Part, _) => Flow::End,
            (Role::Plain, Flow::Jump(_)) => Flow::Jump(target),
            (Role::Plain, Flow::Branch(_)) => Flow::Branch(target),
            (Role::Plain, flow) => flow,
        }
    }
}

/// Where an instruction goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Behind itself.
    Next,
    /// There.
    Jump(usize),
    /// There, or behind itself.
    Branch(usize),
    /// Nowhere in this code.
    End,
}

/// Whether the instruction ends the call.
pub(crate) fn is_return(op: Rop) -> bool {
    returns_value(op).is_some()
}

/// For an instruction that ends the call, whether it gives a value.
pub(crate) fn returns_value(op: Rop) -> Option<bool> {
    match op {
        Rop::Return
        | Rop::Return0
        | Rop::Return1
        | Rop::Return2
        | Rop::Return3
        | Rop::Return4
        | Rop::Return5
        | Rop::Return6 => Some(false),
        Rop::ReturnValue
        | Rop::ReturnValue0
        | Rop::ReturnValue1
        | Rop::ReturnValue2
        | Rop::ReturnValue3
        | Rop::ReturnValue4
        | Rop::ReturnValue5
        | Rop::ReturnValue6 => Some(true),
        _ => None,
    }
}

/// A numeric comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Lt,
    Le,
    Gt,
    Ge,
    Eq,
    Ne,
}

/// What a register is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Against {
    /// Register `b`.
    Register,
    /// The second word, an Int.
    Int,
    /// The second word, a Float.
    Float,
}

/// A branch on a comparison of register `a`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Branch {
    pub(crate) comparison: Comparison,
    pub(crate) against: Against,
    /// Whether it is taken when the comparison holds, or when it doesn't.
    pub(crate) when: bool,
    /// Whether taking it costs a unit of fuel.
    pub(crate) pays: bool,
    /// What is added to `a` first.
    pub(crate) adds: Addend,
}

/// What a branch adds to the register that it compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Addend {
    Nothing,
    /// It becomes an Int, plus 1.
    One,
    /// A constant, as `Add` does.
    Step(i64),
}

/// A row for each comparison: the opcodes that branch on it, four for each thing to compare with.
macro_rules! branches {
    ($op:expr; $($comparison:ident $against:ident: $t:ident $f:ident $lt:ident $lf:ident;)*) => {
        match $op {
            $(Rop::$t => Some((Comparison::$comparison, Against::$against, true, false)),
            Rop::$f => Some((Comparison::$comparison, Against::$against, false, false)),
            Rop::$lt => Some((Comparison::$comparison, Against::$against, true, true)),
            Rop::$lf => Some((Comparison::$comparison, Against::$against, false, true)),)*
            Rop::IncLoopLt | Rop::AddLoopLt => Some((Comparison::Lt, Against::Register, true, true)),
            Rop::IncLoopLtI | Rop::AddLoopLtI => Some((Comparison::Lt, Against::Int, true, true)),
            _ => None,
        }
    };
}

impl Branch {
    /// What the instruction branches on, if it is a comparison.
    pub(crate) fn of_inst(inst: &Inst) -> Option<Branch> {
        let branch = Branch::of(inst.op)?;
        let adds = match inst.op {
            Rop::AddLoopLt => Addend::Step(i64::from(inst.word.flags())),
            Rop::AddLoopLtI => Addend::Step(i64::from(inst.word.b())),
            _ => branch.adds,
        };
        Some(Branch { adds, ..branch })
    }

    /// What the opcode branches on, if it is a comparison; the step of one that adds is in the
    /// instruction.
    pub(crate) fn of(op: Rop) -> Option<Branch> {
        let row = branches! { op;
            Lt Register: IfLt IfNotLt LoopLt LoopNotLt;
            Le Register: IfLe IfNotLe LoopLe LoopNotLe;
            Eq Register: IfEq IfNotEq LoopEq LoopNotEq;
            Lt Int: IfLtI IfNotLtI LoopLtI LoopNotLtI;
            Le Int: IfLeI IfNotLeI LoopLeI LoopNotLeI;
            Gt Int: IfGtI IfNotGtI LoopGtI LoopNotGtI;
            Ge Int: IfGeI IfNotGeI LoopGeI LoopNotGeI;
            Eq Int: IfEqI IfNotEqI LoopEqI LoopNotEqI;
            Lt Float: IfLtF IfNotLtF LoopLtF LoopNotLtF;
            Le Float: IfLeF IfNotLeF LoopLeF LoopNotLeF;
            Gt Float: IfGtF IfNotGtF LoopGtF LoopNotGtF;
            Ge Float: IfGeF IfNotGeF LoopGeF LoopNotGeF;
            Eq Float: IfEqF IfNotEqF LoopEqF LoopNotEqF;
        };
        let (comparison, against, when, pays) = row?;
        Some(Branch {
            comparison,
            against,
            when,
            pays,
            adds: match op {
                Rop::IncLoopLt | Rop::IncLoopLtI => Addend::One,
                Rop::AddLoopLt | Rop::AddLoopLtI => Addend::Step(0),
                _ => Addend::Nothing,
            },
        })
    }
}

/// Whether a run may end at the instruction, or in a call from it, by a trap, for lack of fuel or as it is
/// interrupted, or the engine leave it to others.
pub(crate) fn may_stop(inst: &Inst) -> bool {
    match inst.role {
        Role::Enter => true,
        Role::Rejoin | Role::Part => false,
        Role::Plain => stops_at(inst.op),
    }
}

/// Whether a run may stop at an instruction with this opcode. Where the engine is left, it holds that against
/// this.
pub(crate) fn stops_at(op: Rop) -> bool {
    let ends = matches!(op, Rop::Leave | Rop::CallLinked | Rop::End) || is_return(op);
    let pays =
        matches!(op, Rop::Loop | Rop::Fuel) || Branch::of(op).is_some_and(|branch| branch.pays);
    ends || pays || may_take_fuel(op) || matches!(op, Rop::Call | Rop::Native | Rop::Relink)
}

/// Whether the work of an instruction may cost fuel, how much being seen when it is done, or be too much.
pub(crate) fn may_take_fuel(op: Rop) -> bool {
    matches!(
        op,
        Rop::Worked
            | Rop::Concat
            | Rop::HashGetCopy
            | Rop::HashGetBorrow
            | Rop::HashExists
            | Rop::HashSet
            | Rop::ArrayPush
            | Rop::ElementSet
            | Rop::ElementSetI
            | Rop::ElementSetW
            | Rop::SlotElementSet
            | Rop::SlotElementSetI
            | Rop::Outline
            | Rop::SlotLoop
    )
}

/// Registers that an instruction reads: up to two single ones, and a range.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reads {
    pub(crate) first: Option<usize>,
    pub(crate) second: Option<usize>,
    /// First register and count.
    pub(crate) range: (usize, usize),
    /// Two more, of an exchange or a store into a register's array.
    pub(crate) extra: Option<usize>,
}

/// What an instruction reads and writes. The arguments and the result of a call that isn't inlined are
/// for whoever asks to add.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Effects {
    pub(crate) reads: Reads,
    /// First register written, and how many.
    pub(crate) writes: (usize, usize),
}

/// What the instruction reads and writes.
pub(crate) fn effects(inst: &Inst) -> Effects {
    let (a, b, c) = (inst.a(), inst.b(), inst.c());
    let reads = |first, second| Reads {
        first,
        second,
        ..Reads::default()
    };
    let to_a = |reads| Effects {
        reads,
        writes: (a, 1),
    };
    let only = |reads| Effects {
        reads,
        writes: (0, 0),
    };
    if let Some(branch) = Branch::of(inst.op) {
        let second = (branch.against == Against::Register).then_some(b);
        return Effects {
            reads: reads(Some(a), second),
            writes: (a, usize::from(branch.adds != Addend::Nothing)),
        };
    }
    if let Some(gives) = returns_value(inst.op) {
        let reads = reads(gives.then_some(b), None);
        return Effects {
            reads,
            writes: (
                inst.shift(),
                usize::from(inst.role == Role::Rejoin && gives),
            ),
        };
    }
    if inst.role == Role::Enter {
        return only(Reads {
            range: (a, inst.immediate as usize),
            ..Reads::default()
        });
    }
    match inst.op {
        Rop::Copy | Rop::Take | Rop::Borrow => to_a(reads(Some(b), None)),
        Rop::Own => to_a(reads(Some(a), None)),
        Rop::Exchange => Effects {
            reads: reads(Some(a), Some(b)),
            writes: (a.min(b), a.abs_diff(b) + 1),
        },
        Rop::Drop => to_a(reads(Some(a), None)),
        Rop::Clear => Effects {
            reads: Reads::default(),
            writes: (a, usize::from(inst.word.b())),
        },
        Rop::LoadInt | Rop::LoadFloat | Rop::LoadWord | Rop::LoadConst => to_a(Reads::default()),
        Rop::GlobalCopy | Rop::GlobalBorrow | Rop::ArrayLen => to_a(Reads::default()),
        Rop::GlobalSet => only(reads(Some(a), None)),
        Rop::ElementCopy
        | Rop::ElementBorrow
        | Rop::ElementLen
        | Rop::HashGetCopy
        | Rop::HashGetBorrow
        | Rop::HashExists => to_a(reads(Some(c), None)),
        Rop::SlotElementCopy | Rop::SlotElementBorrow | Rop::SlotElementLen => {
            to_a(reads(Some(b), Some(c)))
        }
        Rop::ElementSet | Rop::HashSet => only(reads(Some(b), Some(c))),
        Rop::SlotElementSet => Effects {
            reads: Reads {
                extra: Some(a),
                ..reads(Some(b), Some(c))
            },
            writes: (a, 1),
        },
        Rop::ElementSetI | Rop::ElementSetW => only(reads(Some(b), None)),
        Rop::MulAdd | Rop::MulSub | Rop::MulAddFloats | Rop::MulSubFloats => Effects {
            reads: Reads {
                extra: Some(a),
                ..reads(Some(b), Some(c))
            },
            writes: (a, 1),
        },
        Rop::SlotElementSetI => Effects {
            reads: reads(Some(a), Some(b)),
            writes: (a, 1),
        },
        Rop::ArrayPush => only(reads(Some(c), None)),
        Rop::Outline => Effects {
            reads: Reads {
                range: (a, usize::from(inst.word.b())),
                ..Reads::default()
            },
            writes: (a, usize::from(inst.word.c())),
        },
        Rop::SlotLoop => Effects {
            reads: reads(Some(a), Some(b)),
            writes: (a.min(b), a.abs_diff(b) + 1),
        },
        Rop::IfTrue | Rop::IfFalse => only(reads(Some(a), None)),
        Rop::Jump
        | Rop::Loop
        | Rop::Fuel
        | Rop::Leave
        | Rop::CallLinked
        | Rop::Relink
        | Rop::End
        | Rop::Native
        | Rop::Call => only(Reads::default()),
        op if op.words() == 2 || is_unary(op) => to_a(reads(Some(b), None)),
        // What is left computes from two registers.
        _ => to_a(reads(Some(b), Some(c))),
    }
}

/// Whether the opcode computes from register `b` alone, without an immediate.
fn is_unary(op: Rop) -> bool {
    matches!(op, Rop::Inc | Rop::Dec | Rop::Unary | Rop::StringLen)
}
