//! Tally, a small language on fusevm: what a frontend author starts from.
//!
//! ```console
//! $ cargo run --example tally -- build examples/tally/shapes.tly shapes.fvbc
//! $ cargo run --example tally -- build examples/tally/main.tly main.fvbc
//! $ cargo run --example tally -- run main.fvbc shapes.fvbc
//! ```
//!
//! `compiler` makes a module of a text, `runtime` is what the language brings along at run time. The
//! guide `fusevm::guide` goes through both.

mod compiler;
mod runtime;

use fusevm::Module;
use std::error::Error;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["build", source, module] => build(source, module),
        ["run", program, libraries @ ..] => run(program, libraries),
        _ => Err("use: tally build SOURCE MODULE | tally run MODULE [LIBRARY…]".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Compiles a text to a module file.
fn build(source: &str, module: &str) -> Result<(), Box<dyn Error>> {
    let text = std::fs::read_to_string(source)?;
    compiler::compile(source, &text)?.write_to(module)?;
    Ok(())
}

/// Runs a module with the functions of others.
fn run(program: &str, libraries: &[&str]) -> Result<(), Box<dyn Error>> {
    let engine = runtime::builder().build();
    for library in libraries {
        engine.load(Module::open(library)?);
    }
    let module = Module::open(program)?;
    engine.load(module.clone());
    let main = engine.loaded(module.chunk(compiler::MAIN)?);
    engine.vm(&main).execute()?;
    Ok(())
}
