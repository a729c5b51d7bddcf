//! What of its instruction set this machine has, by the names of the code generator's flags.
//!
//! The compiler is told these and nothing else, and code on disk is bound to them, so both agree on
//! what code may use. Asking costs no code generator.

use std::env;
use std::sync::OnceLock;

/// The features that code may use, each with whether it may.
pub(crate) type Features = Vec<(&'static str, bool)>;

/// The variable that takes features away, such as `avx2,bmi2`, as on a machine that lacks them.
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

#[cfg(target_arch = "x86_64")]
fn detected() -> Features {
    use std::arch::is_x86_feature_detected as has;
    vec![
        ("has_sse3", has!("sse3")),
        ("has_ssse3", has!("ssse3")),
        ("has_sse41", has!("sse4.1")),
        ("has_sse42", has!("sse4.2")),
        ("has_popcnt", has!("popcnt")),
        ("has_avx", has!("avx")),
        ("has_avx2", has!("avx2")),
        ("has_fma", has!("fma")),
        ("has_bmi1", has!("bmi1")),
        ("has_bmi2", has!("bmi2")),
        ("has_lzcnt", has!("lzcnt")),
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
