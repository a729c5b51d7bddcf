//! The vectors of the specification: modules of small chunks with what each chunk gives, and files that
//! have to be refused with the code that they are refused with.

use anyhow::Context;
use fusevm::{
    format::{CheckOptions, Entry, Module, ModuleWriter, chunk_hash},
    op::{INFO, OpInfo},
    verify::verify_chunk,
};
use fusevm_kit::{outcome, vectors};
use serde_json::{Map, Value as Json, json};
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
    Ok(files)
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

/// The module of an op's cases and, as text, their expected outcomes, a chunk a line.
fn vector(info: &OpInfo) -> anyhow::Result<(Vec<u8>, String)> {
    let mut writer = ModuleWriter::new(Cursor::new(Vec::new()))?;
    writer.metadata("title", format!("vectors of {}", info.name));
    let mut lines = Vec::new();
    for case in vectors::cases(info) {
        let shape = verify_chunk(&case.chunk);
        let mut expected = Map::new();
        expected.insert("strict".into(), json!(shape.is_ok()));
        expected.insert(
            "height".into(),
            json!(shape.map(|shape| shape.height()).ok()),
        );
        expected.insert(
            "hash".into(),
            json!(outcome::hex(&chunk_hash(&case.chunk)?.0)),
        );
        writer.add(&Entry::named(&case.name), &case.chunk)?;
        let Json::Object(run) = outcome::run_vector(case.chunk).to_json() else {
            unreachable!("an outcome is an object");
        };
        expected.extend(run);
        lines.push(format!(
            "  {}: {}",
            json!(case.name),
            Json::Object(expected)
        ));
    }
    let module = writer.finish()?.into_inner();
    Ok((
        module,
        format!("{{\"chunks\": {{\n{}\n}}}}\n", lines.join(",\n")),
    ))
}
