//! Everything that runs a program, and whether all of it agrees: the one comparison of tests, sweeps
//! and fuzz targets.

use crate::{
    linked::parts_of,
    outcome::{self, Outcome, World, program_limits},
    program::install_extensions,
    same::all_same,
};
use fusevm::{
    Chunk, Engine, VM, Value,
    engine::Unit,
    jit::{JitMode, JitOptions},
    vm::{EngineChoice, Frame, Limits},
};
use std::{fmt, path::Path, sync::Arc};

/// One way to run programs.
pub struct Tier {
    /// Its name in messages.
    pub name: &'static str,
    /// Makes a VM run so.
    pub choose: fn(&mut VM),
    /// Whether an earlier run in this way has left its native code.
    pub from_cache: bool,
}

/// All tiers; the others are held against the first.
pub const TIERS: [Tier; 6] = [
    Tier::new("reference", |vm| vm.set_engine(EngineChoice::Reference)),
    Tier::new("register", |vm| {
        vm.set_engine(EngineChoice::Register);
        vm.set_jit(JitOptions {
            mode: JitMode::Off,
            ..JitOptions::default()
        });
    }),
    Tier::new("auto", |vm| vm.set_engine(EngineChoice::Auto)),
    Tier::new("JIT auto", |vm| compiling(vm, JitMode::Auto)),
    Tier::new("JIT eager", |vm| compiling(vm, JitMode::Eager)),
    Tier {
        from_cache: true,
        ..Tier::new("JIT from cache", |vm| compiling(vm, JitMode::Eager))
    },
];

impl Tier {
    const fn new(name: &'static str, choose: fn(&mut VM)) -> Tier {
        Tier {
            name,
            choose,
            from_cache: false,
        }
    }
}

/// Makes the VM compile; with the lowest threshold, so that small programs get there.
fn compiling(vm: &mut VM, mode: JitMode) {
    vm.set_engine(EngineChoice::Register);
    vm.set_jit(JitOptions {
        mode,
        threshold: 1,
        ..JitOptions::default()
    });
}

/// Words of register code that are compiled together [in pieces](Setup::in_pieces).
const PIECE_WORDS: usize = 24;

/// What a run is given beside its program.
#[derive(Clone)]
pub struct Setup {
    /// What the run may use up.
    pub limits: Limits,
    /// What it finds outside.
    pub world: World,
    /// What the VM is given before the run: handlers, values.
    pub prepare: fn(&mut VM),
    /// Whether the chunk is taken apart into functions that call each other.
    pub in_parts: bool,
}

impl Setup {
    /// That of generated programs: their handlers and limits, but for this fuel.
    pub fn generated(fuel: u64) -> Setup {
        Setup {
            limits: Limits {
                fuel: Some(fuel),
                ..program_limits()
            },
            world: World::Bare,
            prepare: install_extensions,
            in_parts: false,
        }
    }

    /// The same with the chunk taken apart into functions that call each other.
    #[must_use]
    pub fn linked(self) -> Setup {
        Setup {
            in_parts: true,
            ..self
        }
    }

    /// The same with values where an embedder may leave some before a run: on the stack, in the
    /// first slots, in the first global.
    #[must_use]
    pub fn seeded(self) -> Setup {
        Setup {
            prepare: |vm| {
                install_extensions(vm);
                vm.stack.push(Value::str("below"));
                vm.frames[0].slots = vec![Value::int(5), Value::str("seeded")];
                if let Some(first) = vm.globals.first_mut() {
                    *first = Value::array(vec![Value::int(1), Value::str("two")]);
                }
            },
            ..self
        }
    }

    /// The same with so little compiled together that most programs come apart into pieces.
    #[must_use]
    pub fn in_pieces(self) -> Setup {
        Setup {
            prepare: |vm| {
                install_extensions(vm);
                vm.set_jit(JitOptions {
                    mode: JitMode::Eager,
                    threshold: 1,
                    budget: PIECE_WORDS,
                    ..JitOptions::default()
                });
            },
            ..self
        }
    }

    /// Runs a chunk in a tier.
    pub fn run(&self, chunk: &Chunk, tier: &Tier) -> Outcome {
        let outcome = run_each(chunk, std::slice::from_ref(self), tier).pop();
        outcome.expect("one setup has one outcome")
    }

    fn run_in(&self, program: &Program<'_>, tier: &Tier, cache: Option<&Path>) -> Outcome {
        let mut vm = program.vm();
        vm.set_limits(self.limits);
        (tier.choose)(&mut vm);
        vm.set_native_cache(cache);
        (self.prepare)(&mut vm);
        let Program::InParts(chunk, ..) = program else {
            return outcome::run(vm, self.world.clone());
        };
        // Where a global is depends on when its name is first met, and that on the tier.
        outcome::run_and_look(vm, self.world.clone(), |vm| {
            let names = chunk.names.iter();
            let values = names.map(|name| vm.global(name).cloned().unwrap_or_default());
            values.collect()
        })
    }
}

/// What VMs are made of that run the same chunk.
enum Program<'c> {
    /// Each VM knows of nothing but the chunk.
    Loose(&'c Chunk),
    /// The VMs share an engine, and the native code that it has.
    Shared(Engine, Arc<Unit>),
    /// Likewise, with the chunk taken apart.
    InParts(&'c Chunk, Engine, Arc<Unit>),
}

impl<'c> Program<'c> {
    /// That of a chunk for runs with these setups.
    fn of(chunk: &'c Chunk, setups: &[Setup]) -> Program<'c> {
        if setups.iter().any(|setup| setup.in_parts) {
            let (engine, unit) = parts_of(chunk);
            return Program::InParts(chunk, engine, unit);
        }
        if setups.len() == 1 {
            return Program::Loose(chunk);
        }
        let engine = Engine::new();
        let unit = engine.unit("program", chunk.clone());
        Program::Shared(engine, unit)
    }

    fn vm(&self) -> VM {
        match self {
            Program::Loose(chunk) => VM::new((*chunk).clone()),
            Program::Shared(engine, unit) | Program::InParts(_, engine, unit) => engine.vm(unit),
        }
    }
}

/// Runs a chunk in a tier with each of the setups.
fn run_each(chunk: &Chunk, setups: &[Setup], tier: &Tier) -> Vec<Outcome> {
    let folder = tier.from_cache.then(|| {
        let folder = tempfile::tempdir().expect("a folder for the cache");
        let earlier = Program::of(chunk, setups);
        setups[0].run_in(&earlier, tier, Some(folder.path()));
        folder
    });
    let cache = folder.as_ref().map(tempfile::TempDir::path);
    let program = Program::of(chunk, setups);
    let outcomes = setups
        .iter()
        .map(|setup| setup.run_in(&program, tier, cache));
    outcomes.collect()
}

/// Where a tier does something else than the first one.
#[derive(Debug)]
pub struct Difference {
    /// The tier's name.
    pub tier: &'static str,
    /// With which of the setups.
    pub run: usize,
    /// What differs, such as `globals`.
    pub what: &'static str,
    /// As it is in the first tier.
    pub expected: String,
    /// As it is in this one.
    pub found: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference {
            tier,
            what,
            expected,
            found,
            ..
        } = self;
        let first = TIERS[0].name;
        write!(f, "{what} in {tier} and {first}:\n  {found}\n  {expected}")
    }
}

/// Runs the chunk in all tiers and gives what the first one did.
///
/// # Errors
/// The first difference.
pub fn compare(chunk: &Chunk, setup: &Setup) -> Result<Outcome, Box<Difference>> {
    compare_in(chunk, setup, &[])
}

/// The same with the first tier and those of these names, or all if there are none.
///
/// # Errors
/// The first difference.
pub fn compare_in(
    chunk: &Chunk,
    setup: &Setup,
    names: &[String],
) -> Result<Outcome, Box<Difference>> {
    let mut outcomes = compare_each(chunk, std::slice::from_ref(setup), names)?;
    Ok(outcomes.pop().expect("one setup has one outcome"))
}

/// The same with each of the setups in turn, all of them in parts or none. If there are several, the VMs
/// of a tier share an engine, so what one has compiled the next ones run.
///
/// # Errors
/// The first difference.
pub fn compare_each(
    chunk: &Chunk,
    setups: &[Setup],
    names: &[String],
) -> Result<Vec<Outcome>, Box<Difference>> {
    let expected = run_each(chunk, setups, &TIERS[0]);
    let is_wanted = |tier: &&Tier| names.is_empty() || names.iter().any(|name| name == tier.name);
    for tier in TIERS[1..].iter().filter(is_wanted) {
        let found = run_each(chunk, setups, tier);
        for (run, (expected, found)) in expected.iter().zip(&found).enumerate() {
            if let Some((what, expected, found)) = first_difference(expected, found) {
                return Err(Box::new(Difference {
                    tier: tier.name,
                    run,
                    what,
                    expected,
                    found,
                }));
            }
        }
    }
    Ok(expected)
}

/// What differs first between two outcomes: its name and both sides.
fn first_difference(a: &Outcome, b: &Outcome) -> Option<(&'static str, String, String)> {
    let shown = |what, a: &dyn fmt::Debug, b: &dyn fmt::Debug| {
        Some((what, format!("{a:?}"), format!("{b:?}")))
    };
    let ends_alike = match (&a.end, &b.end) {
        (Ok(a), Ok(b)) => all_same(a.as_slice(), b.as_slice()),
        (Err(a), Err(b)) => a == b,
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
    };
    if !ends_alike {
        return shown("end", &a.end, &b.end);
    }
    if a.calls != b.calls {
        return shown("host calls", &a.calls, &b.calls);
    }
    if !all_same(&a.globals, &b.globals) {
        return shown("globals", &a.globals, &b.globals);
    }
    if a.frames.len() != b.frames.len() {
        return shown("frames", &a.frames.len(), &b.frames.len());
    }
    let mut frames = a.frames.iter().zip(&b.frames).enumerate();
    if let Some((place, (a, b))) = frames.find(|(_, (a, b))| !same_frames(a, b)) {
        return shown("frames", &(place, a), &(place, b));
    }
    // In the middle of an op that trapped the stack may be either.
    if a.end.is_ok() && !all_same(&a.stack, &b.stack) {
        return shown("stack", &a.stack, &b.stack);
    }
    if a.status != b.status {
        return shown("status", &a.status, &b.status);
    }
    if a.fuel != b.fuel {
        return shown("fuel", &a.fuel, &b.fuel);
    }
    None
}

/// Whether frames are alike. A slot that was never written is Undef, whether there is room for it or
/// not.
fn same_frames(a: &Frame, b: &Frame) -> bool {
    let written = |frame: &Frame| {
        let last = frame.slots.iter().rposition(|slot| *slot != Value::Undef);
        last.map_or(0, |last| last + 1)
    };
    a.return_ip == b.return_ip
        && a.stack_base == b.stack_base
        && all_same(&a.slots[..written(a)], &b.slots[..written(b)])
}
