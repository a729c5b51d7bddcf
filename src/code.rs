//! The error codes: every way in which a file, a text, a run or a request can be refused.
//!
//! A code stands here once, with its number, title, what a person can do about it, and, where that
//! isn't enough, an explanation. The enums of the stages (`LoadError`, `VerifyError`, `AsmError`,
//! `Trap`) point at a row; `fusevm explain` and the specification print the table. Numbers are
//! literals, never reused: a retired one stays reserved.

use std::fmt;

macro_rules! codes {
    ($($number:literal $name:ident $title:literal $help:literal $($explanation:literal)?;)*) => {
        /// A stable error code, printed as `E0nnn`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Code {
            $(#[doc = $title] $name = $number,)*
        }

        impl Code {
            /// Every code, ascending.
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            /// What went wrong, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Code::$name => $title,)* }
            }

            /// What the person who sees it can do.
            pub fn help(self) -> &'static str {
                match self { $(Code::$name => $help,)* }
            }

            /// More about it, where title and help don't say enough.
            pub fn explanation(self) -> Option<&'static str> {
                match self { $(Code::$name => [$($explanation)?].first().copied(),)* }
            }

            /// The code's identifier in this crate, used by test vectors.
            pub fn name(self) -> &'static str {
                match self { $(Code::$name => stringify!($name),)* }
            }
        }
    };
}

codes! {
    // E01xx: the file and its layout.
    101 Unreadable "the file can't be read" "check that it exists, is a regular file, and that you may read it";
    102 NotFvbc "this is not a .fvbc file" "build one with `fusevm build`, or run a script with its own interpreter";
    103 WrongMajor "the file was written for another major version of the format" "rebuild it from source with this version, or run it with the version that wrote it"
        "The major version changes when a file means something else to an old reader. Later minor versions \
         and opset levels of one major version keep reading what earlier ones wrote.";
    104 Truncated "the file ends before its contents do" "copy or build it again: it was cut short or is still being written"
        "The header says how long the file is, and there is less. That happens to copies that were \
         interrupted, and to files that are read while a writer that doesn't work by renaming writes them.";
    105 DamagedHeader "neither header slot is intact" "the file is damaged: copy or build it again"
        "The header has two slots, of which at least one is intact after a crash at any moment. That neither \
         is means that the file was changed in place, or never was a whole module.";
    106 DamagedRoot "the root record is damaged" "the file is damaged: copy or build it again"
        "The newest root record doesn't have the hash by which the header knows it. Chunks are found through \
         it, so none can be loaded.";
    107 DamagedIndex "an index node is damaged" "the file is damaged: copy or build it again"
        "A node of the index doesn't have the seal by which it is known, or isn't where its names belong. \
         Chunks of other nodes can still be loaded.";
    108 DamagedRecord "a chunk's record is damaged" "the file is damaged: copy or build it again"
        "Each chunk's record has a seal of its own, a CRC-32. Only this chunk is lost: the others can still \
         be loaded, and `fusevm check --all` tells which are damaged.";
    109 DamagedSection "a section is damaged" "the file is damaged: copy or build it again";
    110 UnknownSection "the file needs a section that this reader doesn't know" "use the version of fusevm that wrote it, or a newer one";
    111 NewerOpset "the file uses ops of a newer opset level" "use the version of fusevm that wrote it, or a newer one"
        "Ops are only ever added, and each addition raises the level of the opset. A file says the lowest \
         level that it needs, so that an older reader refuses it instead of misreading it.";
    112 WrongContents "the contents differ from what the root hash says" "the file was changed after it was written: copy or build it again"
        "Every record is intact by its seal, yet the whole isn't what the root hash stands for. That is no \
         accident of a disk: somebody changed the file and made the seals good again.";
    113 OverLimit "a size in the file exceeds a limit of the format" "split the module; the limits stand in the specification";
    114 BadStructure "the file's structure contradicts itself" "the writer of the file has an error: report it to whom the header names";
    115 ChangedWhileRead "the file was changed while it was read" "replace module files by a rename, never in place; then run again"
        "A module is fetched piece by piece, as its chunks are used. A writer that replaces a file by a \
         rename leaves readers the old file; one that writes into it doesn't.";
    116 NoSuchChunk "the module has no chunk of that name" "`fusevm list FILE` shows the names";
    117 DuplicateChunk "two chunks have the same name space and name" "give each chunk of a module its own name"
        "A name space and a name together lead to one chunk. When modules are bundled, `--space`, or bundling \
         several at once, gives each file a name space of its own.";
    118 NotCanonical "the bytes are not in canonical form" "write the module again with a conforming writer"
        "A module has one canonical form, so that the same contents give the same bytes. What isn't in that \
         form can be read, but not written back byte for byte.";

    // E02xx: code that doesn't verify.
    201 BadOpcode "no such opcode" "the code section is damaged, or was written for a newer opset";
    202 BadOperand "an operand is out of its range" "the frontend that wrote the chunk has an error";
    203 CodeTooShort "the code ends inside an instruction" "the frontend that wrote the chunk has an error";
    204 BadConstant "no such constant" "the index is past the constant pool";
    205 BadName "no such name" "the index is past the name table";
    206 BadBlock "no such block range" "the index is past the block table";
    207 BadTarget "a jump leaves the chunk" "targets run from 0 to the number of ops"
        "A target is the index of an op, not a distance and not a byte. The number of ops itself is a good \
         target: it ends the chunk.";
    208 BadSub "a sub's entry lies outside of the code" "the frontend that wrote the chunk has an error";
    209 BadImport "the import table contradicts itself" "each import stands once, in order, with an effect within limits"
        "The import table has a row for each builtin, extension op and function that the code calls, sorted, \
         with what it takes and leaves. The verifier believes the rows, and the VM holds the handlers to \
         them.";
    210 StackMismatch "paths of different stack height meet" "make each path leave the same number of values"
        "An op must find the same number of values on the stack on whichever way it is reached. Where two \
         ways meet, at a label, one of them pushed more than the other or dropped less. `fusevm dis \
         --heights` shows the height before each op.";
    211 Underflow "an op takes more than is on the stack" "push its operands first"
        "The verifier knows the number of values at each op, and here it is less than the op takes. `fusevm \
         dis --heights` shows the height before each op.";
    212 CrossesRegion "control crosses the border of a block or a sub" "jumps stay within their block and sub"
        "Subs and blocks are regions with one entrance: a sub is entered by a call, a block by the op that \
         runs it. A jump from one region into another, or running over the border, would carry the wrong \
         stack along.";
    213 ArityMismatch "a sub is called with different numbers of arguments" "call it with one number, or declare it"
        "The number of arguments belongs to the sub: it decides how much of the caller's stack a call takes. \
         It is declared, or follows from \
         the calls, which must agree.";
    214 ReturnMismatch "a sub returns a value on one path and none on another" "use one of `Return` and `ReturnValue` in a sub"
        "A call either leaves a value or doesn't, and the caller's stack depends on it. So all returns of a \
         sub are of one kind.";
    215 ScopeMismatch "scopes don't nest" "pair each PushFrame with a PopFrame on every path";
    216 WrongMaxStack "the declared stack maximum is not the computed one" "the frontend that wrote the chunk has an error"
        "A chunk in a file declares its greatest stack height, which the verifier computes again. A \
         difference means that the writer counts otherwise than the specification.";
    217 UnknownEffect "an op's effect on the stack is unknown" "declare the import's effect"
        "An extension op may do anything to the stack unless the chunk declares what. Declare it with \
         `.import`, or in the builder; without, the chunk is loose: it runs on the checked interpreter only, \
         and hosts may refuse it.";
    218 TouchesFrames "a handler may change frames or the instruction pointer" "such a chunk runs loose"
        "A handler that may change frames or the instruction pointer leaves nothing that could be proved of \
         what follows. The chunk runs, checked at each op, but it can't be compiled.";
    219 BlockResult "a block leaves the wrong number of values" "map, grep and sort blocks leave one value"
        "The op that runs a block takes what the block leaves: map, grep and sort blocks one value for each \
         element, a foreach block none.";
    220 StackTooHigh "the stack height exceeds its limit" "split the expression";

    // E03xx: the text form.
    301 BadCharacter "a character that doesn't belong here" "strings stand in double quotes, comments begin with `;`";
    302 UnclosedString "a string without its end" "close it with a double quote on the same line";
    303 BadEscape "an unknown escape in a string" "known are \\n \\t \\r \\0 \\\\ \\\" \\e \\xHH and \\u{H}";
    304 BadNumber "a number that can't be read" "integers fit i64; floats need a digit on both sides of the point";
    305 UnknownMnemonic "no such op" "`fusevm spec` lists the mnemonics";
    306 UnknownDirective "no such directive" "see the text form's chapter in the specification";
    307 MissingOperand "an operand is missing" "`fusevm spec` shows each op's operands";
    308 ExtraOperand "more operands than the op takes" "`fusevm spec` shows each op's operands";
    309 WrongOperand "an operand of the wrong kind" "`fusevm spec` shows each op's operands";
    310 UnknownLabel "no such label in this chunk" "define it with `name:` in the same chunk"
        "Labels belong to their chunk: a jump can't leave it. To get to another chunk's code, call it as a \
         function.";
    311 DuplicateLabel "the label is defined twice" "rename one of them";
    312 UnknownSymbol "no such constant, slot, block or name" "declare it before its use";
    313 DuplicateSymbol "the symbol is declared twice" "rename one of them";
    314 MisplacedDirective "the directive doesn't belong here" "see the text form's chapter in the specification";
    315 TableFull "a table of the chunk is full" "constants and names are limited to 65,536 each";
    316 TextTooLarge "the text exceeds a limit" "split the module";
    317 UnclosedBlock "a block without its end" "close it with `.endblock`";

    // E04xx: traps of a running program.
    401 OutOfFuel "the program used up its fuel" "raise `--fuel`, or look for a loop without end"
        "A unit of fuel is a jump back, a call, a block, an iteration of a fused loop, or the work on 64 \
         bytes or elements. The count is the same in every engine, so a limit ends a program at the same \
         place everywhere.";
    402 TooDeep "calls are nested too deep" "raise `--max-depth`, or look for a recursion without end"
        "The depth counts calls of subs and functions within each other, and is the same in every engine.";
    403 ValueTooLarge "a value would exceed the size limit" "raise `--max-value`, or build it in pieces";
    404 OutOfMemory "the program exceeds its memory limit" "raise `--max-memory`"
        "Memory is counted roughly, and where exactly it trips may differ from engine to engine. The other \
         limits are exact.";
    405 OutputLimit "the program exceeds its output limit" "raise the limit, or print less";
    406 Deadline "the program ran past its deadline" "raise `--timeout`";
    407 Interrupted "the program was interrupted" "the embedder or a signal asked it to stop";
    408 UnknownSub "a call of a sub that doesn't exist" "define the sub, or import the function"
        "A call goes to a sub of its own chunk first, then to a function that the host knows. There was \
         neither when the call was made.";
    409 NegativeIndex "a store at a negative index" "check the index before the store";
    410 NeedsHost "the op needs something that this host doesn't have" "run it with a host that provides it";
    412 BlockFailed "a block ended in a way that its op can't use" "leave a block by its end";
    414 HostFailed "an operation of the host failed" "see the message for its cause";
    416 WrongEffect "a handler broke the effect that its import declares" "the embedder and the module disagree: rebuild one of them"
        "What an import declares is what code was verified by: so many values taken, so many left. After each \
         call the VM looks whether that held.";
    418 MissingImport "the module needs something that this host doesn't provide" "register it, or use the host that the module was built for";
    419 ImportMismatch "a function doesn't fit the import that calls it" "rebuild the caller or the function"
        "A call was compiled for a function that takes so many arguments; the one that it reaches now, of \
         another chunk, takes another number.";
    420 HandlerFailed "a handler of the host reported a failure" "see the message for its cause"
        "A builtin, an extension op, a function of the host or its compiler gave up. What went wrong is \
         between the program and the host.";

    // E05xx: the policy.
    501 Denied "the policy denies what the program needs" "allow it with `--allow`, if you trust the program"
        "What a program can need is known when it is verified, so `fusevm run --deny` refuses it before its \
         first op. An embedder's policy also guards each use.";

    // E06xx: the command line.
    601 BadUsage "the command line can't be understood" "`fusevm help` shows the commands";
    602 CantWrite "the output can't be written" "check the folder, its permissions and the space left";
    603 BadImportBlob "the blob is not a chunk of the 0.9 line" "it must hold a bincode 1 `Chunk` or a list of (name, Chunk)"
        "The 0.9 line kept chunks as bincode 1: one `Chunk`, or a list of names with their chunks. The \
         message tells how far each reading got.";
    604 UnfitCache "the directory can't be used as a cache" "name another with `--cache`, or make this one yours alone: `chmod 700`"
        "Native code is taken only from a directory that no other user could have written to: it must be \
         yours, with mode 700, not a link, and the process may not run with raised privileges. Programs run \
         without the cache then.";
}

impl Code {
    /// The code of a number, if there is one.
    pub fn from_number(number: u16) -> Option<Code> {
        Code::ALL
            .iter()
            .copied()
            .find(|code| code.number() == number)
    }

    /// The number behind the `E`.
    pub fn number(self) -> u16 {
        self as u16
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E{:04}", self.number())
    }
}
