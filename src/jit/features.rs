//! What of its instruction set this machine has, by the names of the code generator's flags.
//!
//! The compiler is told these and nothing else, and code on disk is bound to them, so both agree on
//! what code may use. Asking costs no code generator.

#![allow(unsafe_code)]

use std::env;
use std::sync::OnceLock;

/// The features that code may use, each with whether it may.
pub(crate) type Features = Vec<(&'static str, bool)>;

/// The variable that takes features away, such as `avx,popcnt`, as on a machine that lacks them.
const WITHOUT: &str = "FUSEVM_CPU_WITHOUT";

/// The features that are detected, but for those that the environment takes away. They are asked for
/// once, so that all of a process agrees on them.
pub(crate) fn usable() -> &'static Features {
    static USABLE: OnceLock<Features> = OnceLock::new();
    USABLE.get_or_init(ask)
}

fn ask() -> Features {
    let without = env::var(WITHOUT).unwrap_or_default();
    let mut features = detected();
    for (flag, usable) in &mut features {
        let name = flag.trim_start_matches("has_");
        *usable &= !without.split(',').any(|taken| taken.trim() == name);
    }
    features
}

/// The features that the first question tells of, which every processor of this kind answers. Each
/// question more (of which the standard library asks nine) takes microseconds where a hypervisor
/// answers, and the code that is made here has next to no use for what the others tell: wider vectors,
/// counts of zeros, shifts without flags.
#[cfg(target_arch = "x86_64")]
fn detected() -> Features {
    let usable = libc_knows().unwrap_or_else(processor_tells);
    let has = |bit: u32| usable >> bit & 1 == 1;
    vec![
        ("has_sse3", has(0)),
        ("has_ssse3", has(9)),
        ("has_sse41", has(19)),
        ("has_sse42", has(20)),
        ("has_popcnt", has(23)),
        ("has_avx", has(AVX)),
        ("has_fma", has(FMA)),
    ]
}

/// The bits of features that need wide registers.
#[cfg(target_arch = "x86_64")]
const AVX: u32 = 28;
#[cfg(target_arch = "x86_64")]
const FMA: u32 = 12;

/// The usable features of the first question, as the processor says.
#[cfg(target_arch = "x86_64")]
fn processor_tells() -> u32 {
    use std::arch::x86_64::{__cpuid, _xgetbv};

    /// That the system keeps the registers that `avx` needs.
    #[target_feature(enable = "xsave")]
    fn keeps_wide_registers() -> bool {
        const XMM_AND_YMM: u64 = 0b110;
        // SAFETY: the register 0 is there where the instruction is.
        let kept = unsafe { _xgetbv(0) };
        kept & XMM_AND_YMM == XMM_AND_YMM
    }

    let told = __cpuid(1).ecx;
    // SAFETY: bit 27 says that the instruction is there, and that programs may use it.
    match told >> 27 & 1 == 1 && unsafe { keeps_wide_registers() } {
        true => told,
        false => told & !(1 << AVX | 1 << FMA),
    }
}

/// The same as the C library found it out when the process began; `None` where it is none that tells.
#[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
fn libc_knows() -> Option<u32> {
    /// What a question tells, in `eax`, `ebx`, `ecx` and `edx`: all of it, and what programs may use.
    #[repr(C)]
    struct Leaf {
        has: [u32; 4],
        usable: [u32; 4],
    }
    type Function = unsafe extern "C" fn(u32) -> *const Leaf;

    let address: *const ();
    // SAFETY: it reads a word that the linker has filled: with 0 for what isn't there, as it is weak.
    unsafe {
        std::arch::asm!(
            ".weak __x86_get_cpuid_feature_leaf",
            "mov {}, qword ptr [rip + __x86_get_cpuid_feature_leaf@GOTPCREL]",
            out(reg) address,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    // SAFETY: a function of this name is glibc's, since 2.33, which never changes what its functions take
    // and give. No function is 0, as `None` is.
    let function = unsafe { std::mem::transmute::<*const (), Option<Function>>(address) }?;
    // SAFETY: it gives a part of a table that stays as it is, or zeros. The first question is number 0.
    let leaf = unsafe { function(0).as_ref() }?;
    Some(leaf.usable[2])
}

#[cfg(all(
    target_arch = "x86_64",
    not(all(target_os = "linux", target_env = "gnu"))
))]
fn libc_knows() -> Option<u32> {
    None
}

#[cfg(target_arch = "aarch64")]
fn detected() -> Features {
    vec![("has_lse", std::arch::is_aarch64_feature_detected!("lse"))]
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn detected() -> Features {
    Vec::new()
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn the_processor_agrees_with_the_c_library() {
        let bits = 1 << 0 | 1 << 9 | 1 << 19 | 1 << 20 | 1 << 23 | 1 << AVX | 1 << FMA;
        if let Some(known) = libc_knows() {
            assert_eq!(known & bits, processor_tells() & bits);
        }
    }

    #[test]
    fn the_standard_library_agrees() {
        use std::arch::is_x86_feature_detected as has;
        let theirs = [
            ("has_sse3", has!("sse3")),
            ("has_ssse3", has!("ssse3")),
            ("has_sse41", has!("sse4.1")),
            ("has_sse42", has!("sse4.2")),
            ("has_popcnt", has!("popcnt")),
            ("has_avx", has!("avx")),
            ("has_fma", has!("fma")),
        ];
        assert_eq!(detected(), theirs);
    }
}
