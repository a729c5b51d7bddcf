//! Do the modules that earlier versions wrote still mean the same?
//!
//! `golden/VERSION` holds modules of that version of the format, each with its text.
//! `cargo run -p xtask -- golden` wrote them, once; they are never written again.

use fusevm::asm::{Assembly, assemble};
use fusevm::format::CheckOptions;
use fusevm::{Module, ModuleWriter};
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// The modules of all versions.
fn modules() -> Vec<PathBuf> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let entries = |folder: &Path| {
        let entries = fs::read_dir(folder).expect("a folder of modules");
        let mut paths: Vec<_> = entries.map(|e| e.expect("an entry").path()).collect();
        paths.sort();
        paths
    };
    let files = entries(&golden)
        .into_iter()
        .flat_map(|version| entries(&version));
    let modules = files.filter(|path| {
        path.extension()
            .is_some_and(|extension| extension == "fvbc")
    });
    modules.collect()
}

#[test]
fn every_version_has_its_modules() {
    assert!(modules().len() >= 6);
}

#[test]
fn they_pass_every_check() {
    for path in modules() {
        let module = Module::open(&path).expect("a module that was readable once");
        let report = module.check(&CheckOptions::new().all(true));
        assert!(report.is_ok(), "{}: {:?}", path.display(), report.errors);
    }
}

#[test]
fn they_disassemble_to_their_text() {
    for path in modules() {
        let name = path.display();
        let module = Module::open(&path).expect("a module that was readable once");
        let assembly = Assembly::of_module(&module).expect("readable chunks");
        let printed = assembly.print().expect("a file's chunks have texts");
        let text = fs::read_to_string(path.with_extension("fvasm")).expect("the text beside it");
        assert!(printed == text, "{name} disassembles to:\n{printed}");
    }
}

#[test]
fn their_text_assembles_to_the_same_root() {
    for path in modules() {
        let name = path.display().to_string();
        let text = fs::read(path.with_extension("fvasm")).expect("the text beside it");
        let assembly = assemble(&text, &name).unwrap_or_else(|errors| panic!("{errors}"));
        let mut writer = ModuleWriter::new(Cursor::new(Vec::new())).expect("memory takes it");
        assembly.write(&mut writer).expect("within the limits");
        let bytes = writer.finish().expect("memory takes it").into_inner();
        let again = Module::from_bytes(bytes).expect("what was written");
        let module = Module::open(&path).expect("a module that was readable once");
        assert_eq!(again.root_hash(), module.root_hash(), "{name}");
    }
}
