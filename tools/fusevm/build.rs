//! Links `fusevm` into one piece, where the system's C library is there as an archive.
//!
//! A process without shared libraries starts in two thirds of the time, and what shells do all day, copying
//! themselves, takes a third less: there are fewer mappings and fewer pages to copy. Addresses stay random
//! (`-static-pie`). `FUSEVM_LINK=shared` leaves the program as it would be otherwise, for tools that
//! replace functions of a library at run time, such as valgrind.
//!
//! The standard library asks for the C library as a shared one, by name, unless all code is compiled for an
//! archive, which procedural macros don't allow. So each name leads to its archive, in a folder that the
//! linker searches first.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

/// The libraries that are asked for, and the archives that have them.
const LIBRARIES: [(&str, &str); 3] = [
    ("libc.so", "libc.a"),
    ("libm.so", "libm.a"),
    ("libgcc_s.so", "libgcc_eh.a"),
];

/// What programs of this kind begin with.
const START_FILE: &str = "rcrt1.o";

/// By which the C library tells what it knows of the processor. The JIT uses it if it is there, which doesn't
/// bring it out of an archive.
const FEATURES: &str = "__x86_get_cpuid_feature_leaf";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=FUSEVM_LINK");
    let is_shared = env::var_os("FUSEVM_LINK").is_some_and(|link| link == "shared");
    let set = |name: &str| env::var(name).unwrap_or_default();
    let is_glibc = set("CARGO_CFG_TARGET_OS") == "linux" && set("CARGO_CFG_TARGET_ENV") == "gnu";
    let is_at_home = set("HOST") == set("TARGET");
    if is_shared || !is_glibc || !is_at_home {
        return;
    }
    let folder = Path::new(&set("OUT_DIR")).join("archives");
    // Where anything is missing the program is linked as usual.
    if lead_to_archives(&folder).is_ok() {
        println!("cargo:rustc-link-arg-bin=fusevm=-static-pie");
        println!("cargo:rustc-link-arg-bin=fusevm=-L{}", folder.display());
        println!("cargo:rustc-link-arg-bin=fusevm=-Wl,--undefined={FEATURES}");
    }
}

/// Makes a folder in which the names of shared libraries stand for archives.
fn lead_to_archives(folder: &Path) -> io::Result<()> {
    find(START_FILE)?;
    fs::create_dir_all(folder)?;
    for (shared, archive) in LIBRARIES {
        let archive = find(archive)?;
        let is_script = fs::read(&archive)?.starts_with(b"/*");
        let target = folder.join(shared);
        match is_script {
            true => fs::copy(&archive, target).map(drop)?,
            false => fs::write(target, format!("INPUT({})\n", archive.display()))?,
        }
    }
    Ok(())
}

/// Where the C compiler, which links, has a file of the system's.
fn find(file: &str) -> io::Result<PathBuf> {
    let output = Command::new("cc")
        .arg(format!("-print-file-name={file}"))
        .output()?;
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    // What isn't found comes back as it was asked for.
    match path.is_absolute() {
        true => Ok(path),
        false => Err(io::ErrorKind::NotFound.into()),
    }
}
