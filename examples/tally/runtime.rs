//! What a program of Tally finds when it runs: a builtin, an extension op, and `eval`.

use crate::compiler::{self, CONTAINS, LENGTH, SPACE};
use fusevm::engine::{CompileRequest, EngineBuilder, Failure};
use fusevm::{Engine, Value};

/// What makes an engine for programs of the language: a host may say more before it is made.
pub(crate) fn builder() -> EngineBuilder {
    Engine::builder()
        // `length(x)`
        .builtin(SPACE, LENGTH, |vm, _| Ok(Value::Int(vm.pop().len() as i64)))
        // `text ~ part`
        .extension(SPACE, CONTAINS, |vm, _| {
            let (part, text) = (vm.pop().to_str(), vm.pop().to_str());
            vm.push(Value::Bool(text.contains(&part)));
            Ok(())
        })
        // `eval(text)`
        .function("", "eval", |vm, _| {
            let text = vm.pop().to_str();
            let value = vm.eval("eval", &text).map_err(Failure::new)?;
            Ok(value.unwrap_or_default())
        })
        .compiler(|request| match request {
            CompileRequest::Text { source, text } => {
                let program = compiler::compile(source, text).map_err(Failure::new)?;
                Ok(program.into_main())
            }
            CompileRequest::Function { .. } => Ok(None),
        })
}
