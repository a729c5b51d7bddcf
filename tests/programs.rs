//! Does every program in `tests/programs` assemble, and is what is printed of it the same program?

use fusevm::asm::{self, Assembly};
use std::path::{Path, PathBuf};

fn programs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let entries = std::fs::read_dir(folder).expect("the folder of programs");
    let mut paths: Vec<PathBuf> = entries.map(|e| e.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn print(assembly: &Assembly) -> String {
    let chunks = assembly.chunks.iter().map(|(entry, chunk)| (entry, chunk));
    asm::print(&assembly.metadata, chunks).expect("it can be printed")
}

#[test]
fn programs_print_and_assemble_to_the_same() {
    for path in programs() {
        let text = std::fs::read(&path).expect("a readable program");
        let name = path.display().to_string();
        let assembly = asm::assemble(&text, &name).unwrap_or_else(|errors| panic!("{errors}"));
        let printed = print(&assembly);
        let again = asm::assemble(&printed, &name).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(again.metadata, assembly.metadata, "{name}");
        for ((entry, chunk), (entry_again, chunk_again)) in
            assembly.chunks.iter().zip(&again.chunks)
        {
            assert_eq!(entry, entry_again, "{name}");
            assert_eq!(chunk.op_hash, chunk_again.op_hash, "{name}");
            assert_eq!(chunk.names, chunk_again.names, "{name}");
        }
        if std::env::var_os("SHOW").is_some() {
            println!("{printed}");
        }
    }
}
