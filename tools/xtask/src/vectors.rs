//! The vectors of the specification: modules of small chunks with what each chunk gives, files that have
//! to be refused with the code that they are refused with, and modules with their canonical text.

use anyhow::Context;
use fusevm::{
    Chunk, asm,
    format::{CheckOptions, Entry, Module, ModuleWriter, chunk_hash},
    op::{INFO, OpInfo},
    verify::verify_chunk,
};
use fusevm_kit::{outcome, tiers::TIERS, vectors};
use serde_json::{Value as Json, json};
use std::io::Cursor;

/// The generated files: names below the repository's root, and contents.
pub(crate) fn files() -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for info in &INFO {
        let (module, expected) = vector(info).with_context(|| format!("vector {}", info.name))?;
        let stem = format!("format-spec/vectors/valid/{}", info.mnemonic);
        files.push((format!("{stem}.fvbc"), module));
        files.push((format!("{stem}.json"), expected.into_bytes()));
    }
    let mut refusals = Vec::new();
    for file in vectors::invalid::all() {
        let refusal = refusal(&file.bytes).with_context(|| format!("{} is accepted", file.name))?;
        refusals.push(format!("  {}: {refusal}", json!(file.name)));
        files.push((
            format!("format-spec/vectors/invalid/{}.fvbc", file.name),
            file.bytes,
        ));
    }
    let expected = format!("{{\n{}\n}}\n", refusals.join(",\n"));
    files.push((
        "format-spec/vectors/invalid/expected.json".to_owned(),
        expected.into_bytes(),
    ));
    for (name, text) in vectors::text::TEXTS {
        let (module, canonical) = text_vector(name, text)?;
        let stem = format!("format-spec/vectors/text/{name}");
        files.push((format!("{stem}.fvbc"), module));
        files.push((format!("{stem}.fvasm"), canonical.into_bytes()));
    }
    Ok(files)
}

/// The module that a text assembles to, and its canonical text.
fn text_vector(name: &str, text: &str) -> anyhow::Result<(Vec<u8>, String)> {
    let mut writer = ModuleWriter::new(Cursor::new(Vec::new()))?;
    asm::assemble(text, name)?.write(&mut writer)?;
    let module = writer.finish()?.into_inner();
    let canonical = asm::Assembly::of_module(&Module::from_bytes(module.clone())?)?.print()?;
    Ok((module, canonical))
}

/// The code, chunk and op that a whole check refuses these bytes with first; `None` if it takes them.
fn refusal(bytes: &[u8]) -> Option<Json> {
    let error = match Module::from_bytes(bytes) {
        Ok(module) => module
            .check(&CheckOptions::new())
            .errors
            .into_iter()
            .next()?,
        Err(error) => error,
    };
    Some(json!({ "code": error.code().to_string(), "chunk": error.chunk(), "op": error.op() }))
}

/// The module of an op's cases and, as text, their expected outcomes.
fn vector(info: &OpInfo) -> anyhow::Result<(Vec<u8>, String)> {
    let cases = vectors::cases(info).into_iter();
    let cases = cases.map(|case| {
        let outcome = outcome::run_vector(case.chunk.clone(), &TIERS[0]).to_json();
        (case.name, case.chunk, outcome)
    });
    expectations(&format!("vectors of {}", info.name), cases)
}

/// A module of chunks and, as text, what is expected of each: the verdict, the hash, and the outcome given.
pub(crate) fn expectations(
    title: &str,
    chunks: impl Iterator<Item = (String, Chunk, Json)>,
) -> anyhow::Result<(Vec<u8>, String)> {
    let mut writer = ModuleWriter::new(Cursor::new(Vec::new()))?;
    writer.metadata("title", title);
    let mut lines = Vec::new();
    for (name, chunk, outcome) in chunks {
        let shape = verify_chunk(&chunk);
        let mut expected = json!({
            "strict": shape.is_ok(),
            "height": shape.map(|shape| shape.height()).ok(),
            "hash": outcome::hex(&chunk_hash(&chunk)?.0),
        });
        writer.add(&Entry::named(&name), &chunk)?;
        if let (Json::Object(expected), Json::Object(outcome)) = (&mut expected, outcome) {
            expected.extend(outcome);
        }
        lines.push(format!("  {}: {expected}", json!(name)));
    }
    let module = writer.finish()?.into_inner();
    let expected = format!("{{\"chunks\": {{\n{}\n}}}}\n", lines.join(",\n"));
    Ok((module, expected))
}
