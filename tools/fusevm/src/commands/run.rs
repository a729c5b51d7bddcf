//! `fusevm run`: runs a chunk of a module, or of assembly text.

use crate::builtins;
use crate::decisions;
use crate::failure::{Failure, status};
use crate::input;
use crate::needs;
use crate::output;
use crate::units;
use clap::{Args as _, ValueEnum};
use fusevm::code::Code;
use fusevm::format::{LoadedChunk, Module};
use fusevm::host::{Capability, Needs, Policy, UnixHost, UnknownCapability};
use fusevm::jit::{CacheStats, JitMode, JitOptions, JitStats, Miss, cache};
use fusevm::value::{Work, convert};
use fusevm::vm::{EngineChoice, Limits, Stats as Counted, Trap};
use fusevm::{VM, Value};
use serde::Serialize;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The chunk that is run unless another one is asked for.
const ENTRY: &str = "main";

/// The global that holds the arguments, if the chunk names it.
const ARGUMENTS: &str = "ARGV";

/// Run a program
///
/// FILE is a .fvbc module, known by its first bytes, or assembly text; `-` is standard input. Options
/// stand before it: what stands behind it goes to the program, as the array ARGV if its chunk has a
/// global of that name.
///
/// The exit status is the program's: that of the Status it ends with, else the one it set last, else
/// 0. It is 125 if a trap stopped the program, 126 if it can't be loaded or the policy denies what it
/// needs, 127 if there is no such file or chunk.
///
/// FUSEVM_LOG=info in the environment has it told on standard error what is compiled, =debug also what
/// native code wasn't made for, =trace each time that it is left.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, value_names = ["FILE", "ARG"])]
    program: Vec<OsString>,
    /// The chunk to run, as NAME or SPACE::NAME [default: `main`, or the only one]
    #[arg(long, value_name = "NAME")]
    entry: Option<String>,
    /// A module, or assembly text, whose functions the program may call; may be given several times,
    /// and the last one goes first
    #[arg(long = "with", value_name = "FILE")]
    with: Vec<PathBuf>,
    /// What runs it
    #[arg(long, value_enum, default_value_t = Engine::Auto)]
    engine: Engine,
    /// When to compile what the register engine runs
    #[arg(long, value_enum, default_value_t = Jit::Auto)]
    jit: Jit,
    /// Calls and backward jumps after which a sub or loop is compiled [default: 4096]
    #[arg(long, value_name = "N")]
    jit_threshold: Option<u32>,
    /// Where native code is kept for later runs, or `off` [default: see `fusevm cache path`]
    #[arg(long, value_name = "DIR|off")]
    cache: Option<PathBuf>,
    /// Write where native code is to /tmp/perf-PID.map, for `perf report`
    #[arg(long)]
    perf_map: bool,
    /// Have native code count its instructions, which makes it slower, for --stats
    #[arg(long, requires = "stats")]
    count: bool,
    /// Deny a capability: exec, read, write, env or all. A program that needs it is not started
    #[arg(long, value_name = "CAP", value_delimiter = ',', value_parser = capabilities)]
    deny: Vec<Needs>,
    /// Allow a capability in spite of --deny
    #[arg(long, value_name = "CAP", value_delimiter = ',', value_parser = capabilities)]
    allow: Vec<Needs>,
    /// Print the string form of the result, and a newline, behind what the program prints
    #[arg(long)]
    print_result: bool,
    /// Tell on standard error what the run took
    #[arg(long, value_enum, value_name = "FORM", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "text")]
    stats: Option<StatsForm>,
    #[command(flatten)]
    limits: LimitArgs,
}

/// What a program may use up. Sizes take k, M, G for powers of 1,024, counts for those of 1,000.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
struct LimitArgs {
    /// Units of work: jumps back, calls, iterations [default: no limit]
    #[arg(long, value_name = "N", value_parser = units::count)]
    fuel: Option<u64>,
    /// Calls within each other [default: 1M]
    #[arg(long, value_name = "N", value_parser = units::count)]
    max_depth: Option<u64>,
    /// Bytes of one value [default: 1G]
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    max_value: Option<u64>,
    /// Bytes of memory in all [default: 4G]
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    max_memory: Option<u64>,
    /// Bytes printed [default: no limit]
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    max_output: Option<u64>,
    /// Time, such as 500ms or 2s [default: no limit]
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    timeout: Option<Duration>,
}

impl LimitArgs {
    /// The limits: the library's own where nothing else is asked for.
    fn limits(&self) -> Limits {
        let defaults = Limits::default();
        let depth = |depth| usize::try_from(depth).unwrap_or(usize::MAX);
        Limits {
            fuel: self.fuel,
            max_depth: self.max_depth.map_or(defaults.max_depth, depth),
            max_value: self.max_value.unwrap_or(defaults.max_value),
            max_memory: self.max_memory.unwrap_or(defaults.max_memory),
            max_output: self.max_output,
            deadline: self.timeout,
        }
    }
}

/// What runs a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// The reference interpreter while the program is cold, the register engine once it is warm
    Auto,
    /// The reference interpreter alone
    Reference,
    /// The register engine wherever it can, from the first op on
    Register,
}

impl From<Engine> for EngineChoice {
    fn from(engine: Engine) -> EngineChoice {
        match engine {
            Engine::Auto => EngineChoice::Auto,
            Engine::Reference => EngineChoice::Reference,
            Engine::Register => EngineChoice::Register,
        }
    }
}

/// When to compile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Jit {
    /// What is hot
    Auto,
    /// Nothing
    Off,
    /// Everything, before it runs
    Eager,
}

impl Args {
    fn jit_options(&self) -> JitOptions {
        let defaults = JitOptions::default();
        JitOptions {
            mode: match self.jit {
                Jit::Auto => JitMode::Auto,
                Jit::Off => JitMode::Off,
                Jit::Eager => JitMode::Eager,
            },
            threshold: self.jit_threshold.unwrap_or(defaults.threshold),
            counts: self.count,
            ..defaults
        }
    }
}

impl Args {
    /// The directory of native code; `None` where there is to be none, or the environment names none.
    fn cache_directory(&self) -> Option<PathBuf> {
        match &self.cache {
            Some(off) if off.as_os_str() == "off" => None,
            Some(directory) => Some(directory.clone()),
            None => cache::default_directory().ok(),
        }
    }
}

/// How `--stats` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StatsForm {
    /// Lines for people
    Text,
    /// A line of JSON
    Json,
}

/// Reads a capability, or `all`.
fn capabilities(word: &str) -> Result<Needs, UnknownCapability> {
    match word {
        "all" => Ok(Capability::ALL.into_iter().collect()),
        word => Ok(Needs::NONE.with(word.parse()?)),
    }
}

/// Runs the program and gives its exit status.
///
/// # Errors
/// It can't be loaded, is denied what it needs, or was stopped by a trap.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let begun = Instant::now();
    let Some((file, arguments)) = args.program.split_first() else {
        return Err(Failure::usage("no FILE is given"));
    };
    let module = input::open(Path::new(file))?;
    let chunk = entry(&module, Path::new(file), args.entry.as_deref())?;
    let needs = needs::of(&chunk);
    let policy = policy(&args);
    if let Err(denied) = policy.check(needs) {
        let place = place_of(Path::new(file), &chunk);
        let (status, code) = (status::CANT_LOAD, denied.code());
        return Err(Failure::new(
            status,
            code,
            Some(&place),
            format!("it needs {}", denied.denied),
        ));
    }
    let mut host = UnixHost::new();
    // A program that starts nothing shares its input with nobody.
    host.set_input_shared(needs.contains(Capability::Exec));
    let engine = engine(&module, &args)?;
    let mut vm = engine.vm(&engine.loaded(chunk));
    vm.set_host(Box::new(host));
    vm.set_policy(policy);
    let mut limits = args.limits.limits();
    if args.stats.is_some() {
        // Fuel is counted only against a limit.
        limits.fuel.get_or_insert(u64::MAX);
    }
    vm.set_limits(limits);
    set_arguments(&mut vm, arguments)?;
    builtins::register(&mut vm);
    vm.set_engine(args.engine.into());
    vm.set_jit(args.jit_options());
    decisions::log_as_asked()?;
    if args.perf_map {
        vm.set_code_listener(Some(decisions::perf_map()?));
    }
    vm.set_counting(args.stats.is_some());
    let loaded = Instant::now();
    let outcome = vm.execute();
    let stats = Stats {
        load: loaded - begun,
        run: loaded.elapsed(),
        fuel: limits
            .fuel
            .zip(vm.fuel_left())
            .map(|(all, left)| all - left),
        jit: vm.jit_stats(),
        counted: vm.stats().copied().unwrap_or_default(),
        trap: outcome.as_ref().err().map(Trap::code),
    };
    if let Some(form) = args.stats {
        stats.print(form);
    }
    match outcome {
        Ok(result) => {
            if args.print_result {
                print_result(&result.clone().unwrap_or_default(), limits.max_value)?;
            }
            Ok(exit_status(result.as_ref(), vm.last_status))
        }
        Err(trap) => Err(Failure::of(status::FAILED, trap.code(), &trap)),
    }
}

/// An engine that knows the functions of these files, and those of the program's own module before
/// all others.
fn engine(module: &Module, args: &Args) -> Result<fusevm::Engine, Failure> {
    let builder = fusevm::Engine::builder();
    let engine = match args.cache_directory() {
        Some(directory) => builder.native_cache(&directory).build(),
        None => builder.build(),
    };
    for file in &args.with {
        engine.load(input::open(file)?);
    }
    engine.load(module.clone());
    Ok(engine)
}

/// The chunk that is asked for, or that goes without saying.
fn entry(module: &Module, file: &Path, name: Option<&str>) -> Result<LoadedChunk, Failure> {
    if let Some(name) = name {
        return input::chunk(module, name);
    }
    let main = module.find("", ENTRY);
    if let Some(chunk) = main.map_err(|error| input::cant_load(&error))? {
        return Ok(chunk);
    }
    match (module.chunk_count(), input::chunks(module)?.next()) {
        (1, Some(only)) => only,
        (count, _) => {
            let detail = match count {
                0 => "there is no chunk in it".to_owned(),
                _ => format!("none of its {count} chunks is called `{ENTRY}`: name one by --entry"),
            };
            let (status, code) = (status::NOT_FOUND, Code::NoSuchChunk);
            Err(Failure::new(
                status,
                code,
                Some(&input::place(file)),
                detail,
            ))
        }
    }
}

fn place_of(file: &Path, chunk: &LoadedChunk) -> String {
    let name = output::full_name(chunk.space(), chunk.name());
    format!("{}, chunk \"{}\"", input::place(file), output::shown(&name))
}

/// Everything is allowed but what is denied and not allowed in spite of that.
fn policy(args: &Args) -> Policy {
    let denied = args.deny.iter().flat_map(|needs| needs.iter());
    let policy = denied.fold(Policy::ALLOW_ALL, Policy::deny);
    let allowed = args.allow.iter().flat_map(|needs| needs.iter());
    allowed.fold(policy, Policy::allow)
}

/// Hands the arguments over, if the chunk names the global.
///
/// # Errors
/// It doesn't, and an argument is an option of ours that stands in the wrong place.
fn set_arguments(vm: &mut VM, arguments: &[OsString]) -> Result<(), Failure> {
    if vm.running().names.iter().any(|name| name == ARGUMENTS) {
        let values = arguments
            .iter()
            .map(|argument| Value::bytes(argument.as_bytes()));
        vm.set_global(ARGUMENTS, Value::array(values.collect()));
        return Ok(());
    }
    match arguments.iter().find_map(|argument| own_option(argument)) {
        None => Ok(()),
        Some(option) => Err(Failure::usage(format!(
            "{option} stands behind FILE and so goes to the program, which takes no arguments: \
             write it before FILE"
        ))),
    }
}

/// The option of `run` that an argument spells.
fn own_option(argument: &OsStr) -> Option<String> {
    let name = argument.to_str()?.strip_prefix("--")?.split('=').next()?;
    let command = Args::augment_args(clap::Command::new("run"));
    let mut options = command.get_arguments().filter_map(clap::Arg::get_long);
    options
        .find(|option| *option == name)
        .map(|option| format!("--{option}"))
}

/// The program's exit status, of which the system keeps the low eight bits.
fn exit_status(result: Option<&Value>, last_status: i32) -> u8 {
    let status = match result {
        Some(Value::Status(status)) => *status,
        _ => last_status,
    };
    status as u8
}

/// Prints the result's string form.
fn print_result(result: &Value, limit: u64) -> Result<(), Failure> {
    let mut text = Vec::new();
    let mut work = Work::new(limit, limit);
    if let Err(excess) = convert::append_form(result, &mut text, &mut work) {
        return Err(Failure::new(status::FAILED, excess.code(), None, excess));
    }
    text.push(b'\n');
    output::print_bytes(&text)
}

/// What a run took.
struct Stats {
    /// From the start of the command to that of the program.
    load: Duration,
    run: Duration,
    fuel: Option<u64>,
    jit: JitStats,
    /// What the tiers did.
    counted: Counted,
    trap: Option<Code>,
}

/// The form of `--stats=json`.
#[derive(Serialize)]
struct StatsRow {
    load_ns: u64,
    run_ns: u64,
    fuel: u64,
    jit: JitRow,
    /// Ops of the reference interpreter, and register instructions of the engine.
    ops: u64,
    instructions: u64,
    calls: u64,
    /// Times that the engine was entered.
    entries: u64,
    reference_ns: u64,
    register_ns: u64,
    trap: Option<String>,
}

/// What was compiled, in that form.
#[derive(Serialize)]
struct JitRow {
    compiled: u64,
    shared: u64,
    declined: u64,
    compile_ns: u64,
    code_bytes: u64,
    entries: u64,
    exits: u64,
    failed_guards: u64,
    instructions: u64,
    inline: u64,
    executed: u64,
    executed_inline: u64,
    compilers: u64,
    cache_hits: u64,
    /// By reason.
    cache_misses: BTreeMap<&'static str, u64>,
    cache_stored: u64,
}

/// The misses that there were, by the names of their reasons.
fn misses(cache: &CacheStats) -> BTreeMap<&'static str, u64> {
    let counts = Miss::ALL.iter().map(|why| (why.name(), cache.missed(*why)));
    counts.filter(|(_, count)| *count > 0).collect()
}

impl From<JitStats> for JitRow {
    fn from(stats: JitStats) -> JitRow {
        JitRow {
            compiled: stats.compiled,
            shared: stats.shared,
            declined: stats.declined,
            compile_ns: stats.compile_ns,
            code_bytes: stats.code_bytes,
            entries: stats.entries,
            exits: stats.exits,
            failed_guards: stats.failed_guards,
            instructions: stats.instructions,
            inline: stats.inline,
            executed: stats.executed,
            executed_inline: stats.executed_inline,
            compilers: stats.compilers,
            cache_hits: stats.cache.hits,
            cache_misses: misses(&stats.cache),
            cache_stored: stats.cache.stored,
        }
    }
}

/// What was compiled, in a line for people; empty if nothing was.
fn describe(jit: &JitStats) -> String {
    if jit.compiled + jit.declined + jit.cache.hits == 0 {
        return String::new();
    }
    let time = Duration::from_nanos(jit.compile_ns);
    let share = jit.inline * 100 / jit.instructions.max(1);
    let counted = match jit.executed {
        0 => String::new(),
        executed => format!(
            "\ncounted: {executed} native instructions, {:.1}% of them inline",
            jit.executed_inline as f64 * 100.0 / executed as f64
        ),
    };
    format!(
        "\nnative: {} units ({} from another VM, {} declined) to {} bytes in {time:.1?}, {share}% of \
         their instructions inline, {} entries, {} exits, {} failed guards; {} from the cache, {} to \
         it{counted}",
        jit.compiled,
        jit.shared,
        jit.declined,
        jit.code_bytes,
        jit.entries,
        jit.exits,
        jit.failed_guards,
        jit.cache.hits,
        jit.cache.stored,
    )
}

impl Stats {
    /// Prints them on standard error; where that is closed nobody asks for them.
    fn print(&self, form: StatsForm) {
        let fuel = self.fuel.unwrap_or_default();
        let counted = &self.counted;
        let line = match form {
            StatsForm::Text => {
                let (load, run) = (self.load, self.run);
                let jit = describe(&self.jit);
                format!(
                    "loaded in {load:.1?}, ran in {run:.1?}, fuel {fuel}, calls {}\n\
                     reference: {} ops in {:.1?}\n\
                     register: {} instructions in {:.1?}, entered {} times{jit}",
                    counted.calls,
                    counted.ops,
                    counted.reference_time,
                    counted.instructions,
                    counted.engine_time,
                    counted.entries,
                )
            }
            StatsForm::Json => {
                let row = StatsRow {
                    load_ns: self.load.as_nanos() as u64,
                    run_ns: self.run.as_nanos() as u64,
                    fuel,
                    jit: self.jit.into(),
                    ops: counted.ops,
                    instructions: counted.instructions,
                    calls: counted.calls,
                    entries: counted.entries,
                    reference_ns: counted.reference_time.as_nanos() as u64,
                    register_ns: counted.engine_time.as_nanos() as u64,
                    trap: self.trap.map(|code| code.to_string()),
                };
                serde_json::to_string(&row).unwrap_or_default()
            }
        };
        let _ = writeln!(io::stderr(), "{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_the_exit_status() {
        assert_eq!(exit_status(None, 0), 0);
        assert_eq!(exit_status(Some(&Value::Int(7)), 3), 3);
        assert_eq!(exit_status(Some(&Value::Status(7)), 3), 7);
        assert_eq!(exit_status(Some(&Value::Status(-1)), 0), 255);
    }

    #[test]
    fn capabilities_are_words() {
        assert_eq!(capabilities("all").unwrap().iter().count(), 4);
        assert!(capabilities("read").unwrap().contains(Capability::Read));
        assert!(capabilities("network").is_err());
    }
}
