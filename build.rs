//! What only the build knows: whether the engine's handlers' last calls become jumps, and of which
//! sources and compiler the JIT is.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(tail_calls)");
    // Calls in tail position become jumps with any optimization; not at level 0, where they would
    // pile up on the stack.
    if env::var("OPT_LEVEL").is_ok_and(|level| level != "0") {
        println!("cargo:rustc-cfg=tail_calls");
    }
    if env::var_os("CARGO_FEATURE_JIT").is_some() {
        println!("cargo:rerun-if-changed=src");
        println!("cargo:rustc-env=FUSEVM_BUILD={}", build_digest());
    }
}

/// A hash over all that decides what compiled code may believe of this library: its sources, the
/// compiler and its settings. Native code on disk is used by no build with another one.
fn build_digest() -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    let mut sources = Vec::new();
    collect(Path::new("src"), &mut sources).expect("the sources are here");
    sources.sort();
    for path in sources {
        add(path.as_os_str().as_encoded_bytes());
        add(&fs::read(&path).expect("the sources can be read"));
    }
    for name in [
        "TARGET",
        "OPT_LEVEL",
        "PROFILE",
        "DEBUG",
        "CARGO_CFG_FEATURE",
        "CARGO_ENCODED_RUSTFLAGS",
    ] {
        add(env::var(name).unwrap_or_default().as_bytes());
    }
    let rustc = env::var_os("RUSTC").expect("cargo names the compiler");
    let version = Command::new(rustc).arg("-vV").output();
    add(&version.expect("the compiler tells its version").stdout);
    hasher.finalize().to_string()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
