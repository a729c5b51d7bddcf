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

/// The features that are told by the first question, which every processor of this kind answers. Each
/// question more (of which the standard library asks nine) takes microseconds where a hypervisor
/// answers, and the code that is made here has next to no use for what the others tell: wider vectors,
/// counts of zeros, shifts without flags.
#[cfg(target_arch = "x86_64")]
fn detected() -> Features {
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
    let has = |bit: u32| told >> bit & 1 == 1;
    // SAFETY: bit 27 says that the instruction is there, and that programs may use it.
    let wide = has(27) && unsafe { keeps_wide_registers() };
    vec![
        ("has_sse3", has(0)),
        ("has_ssse3", has(9)),
        ("has_sse41", has(19)),
        ("has_sse42", has(20)),
        ("has_popcnt", has(23)),
        ("has_avx", wide && has(28)),
        ("has_fma", wide && has(12)),
    ]
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
