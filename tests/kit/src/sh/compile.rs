//! Ops of commands.

use super::parse::{Command, Redirection, Simple, Word, script};
use super::words::literal;
use fusevm::op::file_test;
use fusevm::shell_builtins::builtin_id;
use fusevm::{Chunk, ChunkBuilder, Op, Value};
use std::collections::BTreeSet;

/// What is made so far.
pub(super) struct Compiler {
    pub(super) builder: ChunkBuilder,
    /// How many lists of `for` there are.
    lists: usize,
    /// Variables that have a value wherever control is now: no other can be meant, such as one of the
    /// environment.
    pub(super) certain: BTreeSet<String>,
    /// Whether `**` stands for any number of directories.
    pub(super) has_globstar: bool,
    /// How many commands lie around this one that may not run it, or not in this process.
    nest: usize,
}

pub(super) fn compile(script: &Command) -> Chunk {
    let mut compiler = Compiler {
        builder: ChunkBuilder::new(),
        lists: 0,
        certain: BTreeSet::new(),
        has_globstar: false,
        nest: 0,
    };
    compiler.builder.add_name("ARGV");
    compiler.command(script);
    compiler.op(Op::GetStatus);
    compiler.builder.build()
}

impl Compiler {
    pub(super) fn op(&mut self, op: Op) -> usize {
        self.builder.emit(op, 1)
    }

    pub(super) fn text(&mut self, text: &str) {
        let constant = self.builder.add_constant(Value::str(text));
        self.op(Op::LoadConst(constant));
    }

    pub(super) fn here(&self) -> usize {
        self.builder.current_pos()
    }

    pub(super) fn land(&mut self, jump: usize) {
        self.builder.patch_jump(jump, self.here());
    }

    fn set_status(&mut self, status: i64) {
        self.op(Op::LoadInt(status));
        self.op(Op::SetStatus);
    }

    /// What may not be run, or not in this process: what is assigned there is so there alone.
    fn aside(&mut self, command: &Command) {
        self.nest += 1;
        self.command(command);
        self.nest -= 1;
    }

    fn assign(&mut self, name: &str, value: &Word) {
        self.joined_text(value);
        let index = self.builder.add_name(name);
        self.op(Op::SetVar(index));
        if self.nest == 0 {
            self.certain.insert(name.to_owned());
        }
    }

    /// The ops of a block, which control passes by; the block.
    pub(super) fn block(&mut self, body: &Command) -> u16 {
        let over = self.op(Op::Jump(0));
        let start = self.here();
        self.aside(body);
        let end = self.here();
        self.land(over);
        self.builder.add_block_range(start, end)
    }

    pub(super) fn command(&mut self, command: &Command) {
        match command {
            Command::Simple(simple) => self.simple(simple),
            Command::Pipeline(is_negated, stages) => self.pipeline(*is_negated, stages),
            Command::And(left, right) => self.joined(left, right, Op::JumpIfFalse(0)),
            Command::Or(left, right) => self.joined(left, right, Op::JumpIfTrue(0)),
            Command::Sequence(commands) => commands.iter().for_each(|c| self.command(c)),
            Command::Background(command) => self.background(command),
            Command::Subshell(body) => self.subshell(body),
            Command::Group(body) => self.command(body),
            Command::If(condition, then, otherwise) => {
                self.conditional(condition, then, otherwise.as_deref());
            }
            Command::While(condition, body) => self.while_loop(condition, body),
            Command::For(name, words, body) => self.for_each(name, words, body),
            Command::Function(name, body) => self.function(name, body),
            Command::Redirected(command, redirections) => {
                redirections.iter().for_each(|r| self.redirection(r));
                self.op(Op::RedirectMark);
                self.command(command);
                self.op(Op::RedirectPop);
            }
        }
    }

    fn simple(&mut self, simple: &Simple) {
        if simple.words.is_empty() {
            return self.no_words(simple);
        }
        match literal(&simple.words[0]).as_deref() {
            Some("trap") => return self.trap(&simple.words[1..]),
            Some("[[") => return self.file_test(&simple.words[1..]),
            Some("shopt") => {
                self.has_globstar = true;
                return self.set_status(0);
            }
            Some("return") => {
                match simple.words.get(1) {
                    Some(status) => self.joined_text(status),
                    None => {
                        self.op(Op::GetStatus);
                    }
                }
                // As a number: the word is text.
                self.op(Op::LoadInt(0));
                self.op(Op::Add);
                self.op(Op::ReturnValue);
                return;
            }
            _ => {}
        }
        for (name, value) in &simple.assignments {
            self.assign(name, value);
        }
        let builtin = special_builtin(&simple.words);
        let own = usize::from(builtin.is_some());
        let words = &simple.words[own..];
        words.iter().for_each(|word| self.fields(word));
        simple.redirections.iter().for_each(|r| self.redirection(r));
        let count = words.len() as u8;
        self.op(match builtin {
            Some(id) => Op::CallBuiltin(id, count),
            None => Op::Exec(count),
        });
        self.op(Op::SetStatus);
    }

    /// Assignments and redirections alone.
    fn no_words(&mut self, simple: &Simple) {
        let has_subst = simple
            .assignments
            .iter()
            .any(|(_, word)| super::words::has_subst(word));
        if !has_subst {
            self.set_status(0);
        }
        for (name, value) in &simple.assignments {
            self.assign(name, value);
        }
        if !simple.redirections.is_empty() {
            simple.redirections.iter().for_each(|r| self.redirection(r));
            self.text("true");
            self.op(Op::Exec(1));
            self.op(Op::SetStatus);
        }
    }

    fn trap(&mut self, words: &[Word]) {
        let text = literal(&words[0]).expect("a trap's command is quoted");
        for signal in &words[1..] {
            let signal = literal(signal).expect("a name");
            let block = self.block(&script(if text == "-" { "" } else { &text }));
            match text.as_str() {
                "-" => self.text(&format!("-{signal}")),
                _ => self.text(&signal),
            }
            self.op(Op::TrapSet(block));
        }
        self.set_status(0);
    }

    /// `-f path ]]`, and so for the other tests of files.
    fn file_test(&mut self, words: &[Word]) {
        const TESTS: [(&str, u8); 12] = [
            ("-f", file_test::IS_FILE),
            ("-d", file_test::IS_DIR),
            ("-r", file_test::IS_READABLE),
            ("-w", file_test::IS_WRITABLE),
            ("-x", file_test::IS_EXECUTABLE),
            ("-e", file_test::EXISTS),
            ("-s", file_test::IS_NONEMPTY),
            ("-L", file_test::IS_SYMLINK),
            ("-S", file_test::IS_SOCKET),
            ("-p", file_test::IS_FIFO),
            ("-b", file_test::IS_BLOCK_DEV),
            ("-c", file_test::IS_CHAR_DEV),
        ];
        let [option, path, _] = words else {
            panic!("only tests of files are in the subset");
        };
        let option = literal(option).expect("an option");
        let found = TESTS.iter().find(|(name, _)| *name == option);
        let (_, code) = found.expect("a test of files");
        self.joined_text(path);
        self.op(Op::TestFile(*code));
        let fails = self.op(Op::JumpIfFalse(0));
        self.set_status(0);
        let end = self.op(Op::Jump(0));
        self.land(fails);
        self.set_status(1);
        self.land(end);
    }

    fn redirection(&mut self, redirection: &Redirection) {
        match redirection {
            Redirection::File(fd, code, target) => {
                self.joined_text(target);
                self.op(Op::Redirect(*fd, *code));
            }
            Redirection::Here(text) => {
                let text = self.builder.add_constant(Value::str(text.as_str()));
                self.op(Op::HereDoc(text));
            }
            Redirection::HereString(word) => {
                self.joined_text(word);
                self.op(Op::HereString);
            }
        }
    }

    fn pipeline(&mut self, is_negated: bool, stages: &[Command]) {
        match stages {
            [only] => self.command(only),
            stages => {
                self.op(Op::PipelineBegin(stages.len() as u8));
                for (place, stage) in stages.iter().enumerate() {
                    if place > 0 {
                        self.op(Op::PipelineStage);
                    }
                    self.aside(stage);
                }
                self.op(Op::PipelineEnd);
                self.op(Op::SetStatus);
            }
        }
        if is_negated {
            self.op(Op::GetStatus);
            let failed = self.op(Op::JumpIfFalse(0));
            self.set_status(1);
            let end = self.op(Op::Jump(0));
            self.land(failed);
            self.set_status(0);
            self.land(end);
        }
    }

    fn joined(&mut self, left: &Command, right: &Command, jump: Op) {
        self.command(left);
        self.op(Op::GetStatus);
        let end = self.op(jump);
        self.aside(right);
        self.land(end);
    }

    fn background(&mut self, command: &Command) {
        match command {
            Command::Simple(simple) if simple.redirections.is_empty() => {
                simple.words.iter().for_each(|word| self.fields(word));
                self.op(Op::ExecBg(simple.words.len() as u8));
                self.op(Op::SetStatus);
            }
            command => {
                self.op(Op::ExecBg(0));
                self.op(Op::SetStatus);
                self.subshell(command);
            }
        }
    }

    fn subshell(&mut self, body: &Command) {
        self.op(Op::SubshellBegin);
        self.aside(body);
        self.op(Op::SubshellEnd);
        self.op(Op::GetStatus);
        self.op(Op::SetStatus);
    }

    fn conditional(&mut self, condition: &Command, then: &Command, otherwise: Option<&Command>) {
        self.command(condition);
        self.op(Op::GetStatus);
        let failed = self.op(Op::JumpIfFalse(0));
        self.aside(then);
        let end = self.op(Op::Jump(0));
        self.land(failed);
        match otherwise {
            Some(otherwise) => self.aside(otherwise),
            None => self.set_status(0),
        }
        self.land(end);
    }

    fn while_loop(&mut self, condition: &Command, body: &Command) {
        let start = self.here();
        self.command(condition);
        self.op(Op::GetStatus);
        let end = self.op(Op::JumpIfFalse(0));
        self.aside(body);
        // Signals are heeded also where the body has no commands.
        self.op(Op::TrapCheck);
        self.op(Op::Jump(start));
        self.land(end);
        self.set_status(0);
    }

    fn for_each(&mut self, name: &str, words: &[Word], body: &Command) {
        self.list(words);
        self.set_status(0);
        let name = self.builder.add_name(name);
        if is_one_piece(body) {
            let over = self.op(Op::Jump(0));
            let start = self.here();
            self.op(Op::SetVar(name));
            self.aside(body);
            let end = self.here();
            self.land(over);
            let each = self.builder.add_block_range(start, end);
            self.op(Op::ForEachBlock(each));
            return;
        }
        let list = self.new_list();
        self.op(Op::SetArray(list));
        let start = self.here();
        self.op(Op::ArrayLen(list));
        let end = self.op(Op::JumpIfFalse(0));
        self.op(Op::ArrayShift(list));
        self.op(Op::SetVar(name));
        self.aside(body);
        self.op(Op::Jump(start));
        self.land(end);
    }

    /// A global of its own for a list.
    fn new_list(&mut self) -> u16 {
        self.lists += 1;
        self.builder.add_name(&format!("for list {}", self.lists))
    }

    /// The words as one array.
    fn list(&mut self, words: &[Word]) {
        let is_many = super::words::is_many;
        match words {
            [word] if is_many(word) => self.fields(word),
            words if !words.iter().any(is_many) => {
                words.iter().for_each(|word| self.fields(word));
                self.op(Op::MakeArray(words.len() as u16));
            }
            words => {
                let list = self.new_list();
                self.op(Op::DeclareArray(list));
                let over = self.op(Op::Jump(0));
                let start = self.here();
                self.op(Op::ArrayPush(list));
                let end = self.here();
                self.land(over);
                let push = self.builder.add_block_range(start, end);
                for word in words {
                    self.fields(word);
                    match is_many(word) {
                        true => self.op(Op::ForEachBlock(push)),
                        false => self.op(Op::ArrayPush(list)),
                    };
                }
                self.op(Op::GetArray(list));
            }
        }
    }

    fn function(&mut self, name: &str, body: &Command) {
        let over = self.op(Op::Jump(0));
        let name = self.builder.add_name(name);
        self.builder.add_sub_entry(name, self.here());
        self.builder.declare_argc(name, 0);
        self.aside(body);
        self.op(Op::GetStatus);
        self.op(Op::ReturnValue);
        self.land(over);
        self.set_status(0);
    }
}

/// The special builtin that the words run, which no function can stand in for, if each of them is one word
/// for certain.
fn special_builtin(words: &[Word]) -> Option<u16> {
    const NAMES: [&str; 6] = [":", "exec", "exit", "export", "set", "unset"];
    let name = literal(words.first()?)?;
    let is_one = !words.iter().any(super::words::is_many);
    (is_one && NAMES.contains(&name.as_str())).then(|| builtin_id(&name))?
}

/// Whether control leaves the command by its end alone, so that it can be a block: it has no `return`, and
/// no function of its own.
fn is_one_piece(command: &Command) -> bool {
    match command {
        Command::Simple(simple) => {
            let name = simple.words.first().and_then(literal);
            name.as_deref() != Some("return")
        }
        Command::Function(..) => false,
        Command::Pipeline(_, commands) | Command::Sequence(commands) => {
            commands.iter().all(is_one_piece)
        }
        Command::And(a, b) | Command::Or(a, b) | Command::While(a, b) => {
            is_one_piece(a) && is_one_piece(b)
        }
        Command::If(condition, then, otherwise) => {
            let otherwise = otherwise.as_deref().is_none_or(is_one_piece);
            is_one_piece(condition) && is_one_piece(then) && otherwise
        }
        Command::Background(body)
        | Command::Subshell(body)
        | Command::Group(body)
        | Command::For(_, _, body)
        | Command::Redirected(body, _) => is_one_piece(body),
    }
}
