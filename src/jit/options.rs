//! When to compile, and what came of it.

use super::miss::CacheStats;

/// Whether and when native code is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JitMode {
    /// Of what has become hot.
    #[default]
    Auto,
    /// Never.
    Off,
    /// Of everything, before it runs the first time.
    Eager,
}

/// How a VM compiles. It has an effect where the register engine runs the program and the crate has
/// feature `jit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JitOptions {
    /// Whether and when.
    pub mode: JitMode,
    /// Calls and backward jumps after which a sub or loop is hot, roughly. Code that is wanted sooner than by
    /// default is made quickly, and made well when it has run for a while; with a directory for native code,
    /// whose next user it is to serve, too, it is made well at once.
    pub threshold: u32,
    /// Words of register code that are compiled together at most. Of what is larger the loops are compiled,
    /// each with what follows it; calls of it, and a loop that alone is larger, begin in the engine.
    pub budget: usize,
    /// Whether native code counts the instructions that it does, for [`JitStats::executed`]. It is slower
    /// then, and kept apart from code that doesn't.
    pub counts: bool,
}

impl JitOptions {
    /// Whether code is made before it is known to be worth much.
    #[cfg(feature = "jit")]
    pub(crate) fn is_early(&self) -> bool {
        self.mode == JitMode::Auto && self.threshold < JitOptions::default().threshold
    }
}

impl Default for JitOptions {
    fn default() -> JitOptions {
        JitOptions {
            mode: JitMode::Auto,
            threshold: 4096,
            budget: 20_000,
            counts: false,
        }
    }
}

/// Native code that is about to be run the first time by a VM.
#[derive(Clone, Copy, Debug)]
pub struct NewCode<'a> {
    /// What it is the code of, such as ``sub `f` ``.
    pub name: &'a str,
    /// Where it is. It stays there as long as something may run it.
    pub address: usize,
    /// The machine code.
    pub code: &'a [u8],
}

/// Who is told of new native code, on the thread that is about to run it.
pub type CodeListener = dyn Fn(&NewCode<'_>) + Send + Sync;

/// What the JIT has done for a VM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JitStats {
    /// Entries that were compiled.
    pub compiled: u64,
    /// Entries that another VM of the engine had compiled.
    pub shared: u64,
    /// Units that were not, as they are too large.
    pub declined: u64,
    /// Nanoseconds of compiling.
    pub compile_ns: u64,
    /// Bytes of code that were made.
    pub code_bytes: u64,
    /// Times that native code was entered.
    pub entries: u64,
    /// Times that it was left other than by a return.
    pub exits: u64,
    /// Exits as something wasn't of the kind assumed.
    pub failed_guards: u64,
    /// Times that the compiler was started. It is not for code that was taken from the cache.
    pub compilers: u64,
    /// What became of the questions to the cache of native code.
    pub cache: CacheStats,
    /// Register instructions that were compiled.
    pub instructions: u64,
    /// Those of them that are done inline, not by a helper or the engine.
    pub inline: u64,
    /// Register instructions that native code came to while it ran, if it [counts](JitOptions::counts).
    pub executed: u64,
    /// Those of them that it did inline.
    pub executed_inline: u64,
}
