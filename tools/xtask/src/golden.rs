//! `golden`: modules of this version of the format, kept in `tests/golden` for all later readers.
//!
//! They are written once for a version of the format and never again: a reader that can't read them
//! is wrong, not they. What they hold stands as text beside each.

use anyhow::{Context, bail, ensure};
use fusevm::asm::{Assembly, assemble};
use fusevm::{Module, ModuleWriter};
use std::fmt::Write;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;

/// No chunk at all.
const EMPTY: &str = "";

/// Every kind of constant.
const CONSTANTS: &str = r#"
.chunk scalars
.const undef
.const true
.const false
.const 0
.const -1
.const 9223372036854775807
.const -9223372036854775808
.const 0.0
.const -0.0
.const 1.5e300
.const inf
.const -inf
.const nan
.const nan(0x7ff8000000000001)
.const status(0)
.const status(-2147483648)
.const builtin(65535)
.chunk strings
.const ""
.const "text"
.const "ü\0\n\xff"
.const "text"
.chunk nests
.const []
.const {}
.const [1, [2, ["three", undef]], {a: 1, "": {b: [true]}}]
.const ref([ref(1), "x"])
    load_const #2
    load_const #3
"#;

/// Metadata, and all that a record says beside its chunk.
const RECORDS: &str = r#"
.meta title "Records"
.meta "with spaces" "\x00\xff"
.meta empty ""
.chunk main
.source "main.sh"
.link "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" mtime -1 size 18446744073709551615
    .line 1
    load_int 1
    load_int 2
    load_int 3
    load_int 4
    load_int 5
    load_int 6
    load_int 7
    load_int 8
    load_int 9
    .line 4294967295
    pop
    .line 7
    pop
    .line 0
    pop
    .line 3
    pop
.chunk main
.space lib
.key "\x00\x01key"
.source "ü"
    load_const "in another name space"
    print_ln 1
.chunk ""
.space "a name space with a space"
    load_undef
"#;

/// Imports of every kind and effect, subs, blocks, and chunks that are loose.
const IMPORTS: &str = r#"
.chunk strict
.import builtin 1 print space host pops argc pushes 1 touches nothing
.import builtin 2 pops 2 pushes 0 touches globals
.import extension 3 read pops 0 pushes 1 touches globals slots
.import extension_wide 4 pops 1 pushes 1 touches slots
.import function helper space lib pops argc pushes 1 touches globals slots
    load_int 1
    call_builtin print 1
    load_int 2
    call_builtin 2 2
    extended read 0
    extended_wide 4 70000
    call helper 1
    call double 1
    print_ln 1
    return
.sub double args 1
    set_slot n
    get_slot n
    get_slot n
    add
    return_value
.end
.chunk blocks
    load_int 1
    load_int 5
    range
    map_block square
    print_ln 1
    return
.block square
    dup
    mul
.endblock
.chunk touches_frames
.import builtin 5 "pops" pops 0 pushes 0 touches everything
    call_builtin 5 0
.chunk unknown_effect
    extended 9 0
.chunk heights
    load_true
    jump_if_false other
    load_int 1
    load_int 2
other:
    load_int 3
"#;

/// More chunks than a leaf of the index holds.
fn library() -> String {
    let mut text = String::new();
    for number in 0..200 {
        // Writing to a string doesn't fail.
        let _ = write!(
            text,
            ".chunk f{number}\n    load_int {number}\n    print_ln 1\n"
        );
    }
    text
}

/// Writes the modules of this version of the format below `root`.
pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let modules = [
        ("empty", EMPTY.to_owned()),
        ("constants", CONSTANTS.to_owned()),
        ("records", RECORDS.to_owned()),
        ("imports", IMPORTS.to_owned()),
        ("library", library()),
    ];
    for (name, text) in modules {
        let assembly = assemble(&text, name)?;
        let mut writer = ModuleWriter::new(Cursor::new(Vec::new()))?;
        assembly.write(&mut writer)?;
        keep(root, name, &writer.finish()?.into_inner())?;
    }
    keep(root, "programs", &bundle_of_programs(root)?)
}

/// All test programs as one module.
fn bundle_of_programs(root: &Path) -> anyhow::Result<Vec<u8>> {
    let folder = fs::read_dir(root.join("tests/programs"))?;
    let mut programs = folder
        .map(|file| Ok(file?.path()))
        .collect::<std::io::Result<Vec<PathBuf>>>()?;
    programs.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "fvasm")
    });
    programs.sort();
    let output = Command::new(env!("CARGO"))
        .args([
            "run",
            "--quiet",
            "-p",
            "fusevm-cli",
            "--",
            "bundle",
            "-o",
            "-",
        ])
        .args(programs)
        .current_dir(root)
        .output()
        .context("can't run cargo")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "fusevm bundle failed:\n{errors}");
    Ok(output.stdout)
}

/// Writes a module and its text, unless they are there.
fn keep(root: &Path, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let module = Module::from_bytes(bytes)?;
    let (major, minor) = module.format_version();
    let path = root.join(format!("tests/golden/{major}.{minor}/{name}.fvbc"));
    if path.exists() {
        bail!("{} is there already, for good", path.display());
    }
    fs::create_dir_all(path.parent().context("it lies in a folder")?)?;
    fs::write(&path, bytes)?;
    fs::write(
        path.with_extension("fvasm"),
        Assembly::of_module(&module)?.print()?,
    )?;
    println!("{}", path.display());
    Ok(())
}
