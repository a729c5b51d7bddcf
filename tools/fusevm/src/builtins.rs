//! The shell builtins that programs run by `fusevm run` find: those that must run in this process, and those
//! that are too small for one of their own.
//!
//! They do what POSIX says, without the options that few scripts use. A shell that targets fusevm brings its
//! own.

mod printf;
mod test;

use fusevm::host::words::{DEFAULT_IFS, read_fields};
use fusevm::host::{FileTest, HostError, Waited};
use fusevm::shell_builtins as id;
use fusevm::value::Str;
use fusevm::vm::{BuiltinHandler, ShellOptions};
use fusevm::{VM, Value};
use smallvec::SmallVec;

/// What a builtin gets: the words behind its name.
type Words = [Str];

/// The status of a builtin that was used wrongly.
const STATUS_USAGE: i32 = 2;

/// What `wait` gives when a trap comes first, beside the signal's number.
const STATUS_SIGNALLED: i32 = 128;

/// Words of a builtin that need no memory of their own.
const FEW_WORDS: usize = 8;

/// The longest line that `read` takes.
const MAX_LINE: u64 = 1 << 24;

/// Registers all of them.
pub(crate) fn register(vm: &mut VM) {
    let all: [(u16, BuiltinHandler); 16] = [
        (id::BUILTIN_COLON, |_, _| Value::Status(0)),
        (id::BUILTIN_TRUE, |_, _| Value::Status(0)),
        (id::BUILTIN_FALSE, |_, _| Value::Status(1)),
        (id::BUILTIN_ECHO, |vm, argc| run(vm, argc, echo)),
        (id::BUILTIN_PRINTF, |vm, argc| run(vm, argc, print_format)),
        (id::BUILTIN_CD, |vm, argc| run(vm, argc, change_directory)),
        (id::BUILTIN_PWD, |vm, argc| run(vm, argc, print_directory)),
        (id::BUILTIN_TEST, |vm, argc| run(vm, argc, evaluate_test)),
        (id::BUILTIN_READ, |vm, argc| run(vm, argc, read)),
        (id::BUILTIN_EXPORT, |vm, argc| run(vm, argc, export)),
        (id::BUILTIN_UNSET, |vm, argc| run(vm, argc, unset)),
        (id::BUILTIN_SET, |vm, argc| run(vm, argc, set)),
        (id::BUILTIN_EXIT, |vm, argc| run(vm, argc, exit)),
        (id::BUILTIN_WAIT, |vm, argc| run(vm, argc, wait)),
        (id::BUILTIN_KILL, |vm, argc| run(vm, argc, kill)),
        (id::BUILTIN_EXEC, |vm, argc| run(vm, argc, exec)),
    ];
    for (id, handler) in all {
        vm.register_builtin(id, handler);
    }
}

/// A builtin that fails: what it tells the user, and its status.
struct Failed(String, i32);

impl From<HostError> for Failed {
    fn from(error: HostError) -> Failed {
        Failed(error.to_string(), 1)
    }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Failed {
        Failed(error.to_string(), 1)
    }
}

/// Runs a builtin with its words, and gives its status.
fn run(vm: &mut VM, argc: u8, act: fn(&mut VM, &Words) -> Result<i32, Failed>) -> Value {
    let first = vm.stack.len().saturating_sub(usize::from(argc));
    let words = vm.stack.drain(first..).map(|word| match word {
        Value::Str(word) => word,
        other => Str::from(other.to_bytes_cow()),
    });
    let words: SmallVec<[Str; FEW_WORDS]> = words.collect();
    let ended = act(vm, &words).and_then(|status| {
        // Redirected output is the builtin's own: whether it can be written is its success.
        if vm.has_redirections() {
            vm.host().flush()?;
        }
        Ok(status)
    });
    Value::Status(match ended {
        Ok(status) => status,
        Err(Failed(message, status)) => {
            // Where standard error is closed, nobody wants to know.
            let _ = vm.host().write_error(format!("{message}\n").as_bytes());
            status
        }
    })
}

fn echo(vm: &mut VM, words: &Words) -> Result<i32, Failed> {
    let (words, end) = match words.split_first() {
        Some((first, rest)) if first.as_bytes() == b"-n" => (rest, &b""[..]),
        _ => (words, &b"\n"[..]),
    };
    let words: Vec<_> = words.iter().map(Str::as_bytes).collect();
    let text = [&words.join(&b' ')[..], end].concat();
    vm.host().write(&text)?;
    Ok(0)
}

fn print_format(vm: &mut VM, words: &Words) -> Result<i32, Failed> {
    let Some((format, arguments)) = words.split_first() else {
        return Err(Failed(
            "printf: a format is missing".to_owned(),
            STATUS_USAGE,
        ));
    };
    let printed = printf::format(format.as_bytes(), arguments);
    vm.host().write(&printed.text)?;
    match printed.complaint {
        Some(complaint) => Err(Failed(format!("printf: {complaint}"), 1)),
        None => Ok(0),
    }
}

fn change_directory(vm: &mut VM, words: &Words) -> Result<i32, Failed> {
    let path = match words.first() {
        Some(path) => path.as_bytes().to_vec(),
        None => match vm.host().home_dir(None)? {
            Some(home) => home,
            None => return Err(Failed("cd: HOME not set".to_owned(), 2)),
        },
    };
    let changed = vm.host().set_directory(&path);
    changed.map_err(|error| {
        let path = String::from_utf8_lossy(&path);
        Failed(format!("cd: {path}: {error}"), STATUS_USAGE)
    })?;
    Ok(0)
}

fn print_directory(vm: &mut VM, _: &Words) -> Result<i32, Failed> {
    let mut path = vm.host().directory()?;
    path.push(b'\n');
    vm.host().write(&path)?;
    Ok(0)
}

fn evaluate_test(vm: &mut VM, words: &Words) -> Result<i32, Failed> {
    let mut file = |test: FileTest, path: &[u8]| vm.host().test_file(test as u8, path);
    match test::evaluate(words, &mut file) {
        Ok(holds) => Ok(i32::from(!holds)),
        Err(message) => Err(Failed(format!("test: {message}"), STATUS_USAGE)),
    }
}

/// Reads a line into the globals that are named; the last one gets all that is left. A last line without
/// its newline is a line, too.
fn read(vm: &mut VM, words: &Words) -> Result<i32, Failed> {
    let names: Vec<&[u8]> = words
        .iter()
        .map(Str::as_bytes)
        .filter(|word| *word != b"-r")
        .collect();
    let line = vm.host().read_line(MAX_LINE)?;
    let text = line.as_deref().unwrap_or_default();
    let ifs = match vm.global("IFS") {
        None | Some(Value::Undef) => DEFAULT_IFS.to_vec(),
        Some(value) => value.to_bytes_cow().into_owned(),
    };
    let mut fields = read_fields(text, &ifs, names.len()).into_iter();
    for name in names {
        let Ok(name) = std::str::from_utf8(name) else {
            return Err(Failed("read: bad variable name".to_owned(), STATUS_USAGE));
        };
        let field = fields.next().unwrap_or_default();
        vm.set_global(name, Value::bytes(field));
    }
    Ok(i32::from(line.is_none()))
}

fn export(vm: &mut VM, words: &Words) -> Result<i32, Failed> {
    for word in words {
        let word = word.as_str();
        let name = match word.split_once('=') {
            Some((name, value)) => {
                match vm.global(name) {
                    Some(_) => vm.set_global(name, Value::str(value)),
                    // The program has no such variable, but its commands may.
                    None => vm.host().set_env(name.as_bytes(), Some(value.as_bytes()))?,
                }
                name
            }
            None => word,
        };
        if name.is_empty() {
            return Err(Failed("export: bad variable name".to_owned(), STATUS_USAGE));
        }
        vm.export(name);
    }
    Ok(0)
}

fn unset(vm: &mut VM, words: &Words) -> Result<i32, Failed> {
    for word in words {
        vm.set_global(word, Value::Undef);
        vm.host().set_env(word.as_bytes(), None)?;
    }
    Ok(0)
}

/// `set -e`, `set -o pipefail` and their opposites.
fn set(vm: &mut VM, words: &Words) -> Result<i32, Failed> {
    let mut options: ShellOptions = vm.shell_options();
    let mut words = words.iter().map(Str::as_bytes);
    while let Some(word) = words.next() {
        let (is_on, name) = match (word, words.clone().next()) {
            (b"-e", _) => (true, &b"errexit"[..]),
            (b"+e", _) => (false, &b"errexit"[..]),
            (b"-o" | b"+o", Some(name)) => {
                words.next();
                (word[0] == b'-', name)
            }
            _ => (true, word),
        };
        match name {
            b"errexit" => options.errexit = is_on,
            b"pipefail" => options.pipefail = is_on,
            other => {
                let other = String::from_utf8_lossy(other);
                return Err(Failed(format!("set: there is no {other}"), STATUS_USAGE));
            }
        }
    }
    vm.set_shell_options(options);
    Ok(0)
}

fn exit(vm: &mut VM, words: &Words) -> Result<i32, Failed> {
    let status = match words.first() {
        None => vm.last_status,
        Some(word) => number("exit", word)? & 0xff,
    };
    vm.exit(status);
    Ok(status)
}

fn wait(vm: &mut VM, words: &Words) -> Result<i32, Failed> {
    let mut status = 0;
    let mut jobs: Vec<Option<i32>> = Vec::new();
    for word in words {
        jobs.push(Some(number("wait", word)?));
    }
    if jobs.is_empty() {
        jobs.push(None);
    }
    for job in jobs {
        status = match vm.host().wait_for_job(job)? {
            Waited::Ended(status) => status,
            Waited::Unknown => fusevm::host::STATUS_NOT_FOUND,
            Waited::Interrupted(signal) => return Ok(STATUS_SIGNALLED + signal),
        };
    }
    Ok(status)
}

fn kill(vm: &mut VM, words: &Words) -> Result<i32, Failed> {
    let usage = || Failed("kill: a process is missing".to_owned(), STATUS_USAGE);
    let (signal, processes) = match words.split_first() {
        None => return Err(usage()),
        Some((option, rest)) if option.as_bytes() == b"-s" => {
            let (name, rest) = rest.split_first().ok_or_else(usage)?;
            (name.as_bytes(), rest)
        }
        Some((option, rest)) => match option.as_bytes() {
            [b'-', name @ ..] if !name.is_empty() => (name, rest),
            _ => (&b"TERM"[..], words),
        },
    };
    let Some(signal) = vm.host().signal_number(signal)? else {
        return Err(Failed(
            "kill: there is no such signal".to_owned(),
            STATUS_USAGE,
        ));
    };
    for process in processes {
        let process = number("kill", process)?;
        vm.host().kill(process, signal)?;
    }
    Ok(0)
}

/// Keeps what is redirected for it, if it has no words; else becomes the command.
fn exec(vm: &mut VM, words: &Words) -> Result<i32, Failed> {
    if words.is_empty() {
        vm.keep_redirections();
        return Ok(0);
    }
    let argv: Vec<_> = words.iter().map(|word| word.as_bytes().to_vec()).collect();
    let status = vm.host().replace(&argv)?;
    vm.exit(status);
    Ok(status)
}

fn number(builtin: &str, word: &str) -> Result<i32, Failed> {
    word.parse().map_err(|_| {
        let message = format!("{builtin}: {word}: bad number");
        Failed(message, STATUS_USAGE)
    })
}
