//! Extension ops that are plain functions: called with unboxed numbers, or written down by their
//! frontend.

use super::registers::PAYLOAD;
use super::{Translator, type_of};
use crate::jit::ir::inst::Inst;
use crate::jit::kinds::Kind;
use crate::jit::{PlainFunction, PlainKind};
use crate::lower::code::flag;
use cranelift_codegen::ir::{self, AbiParam, InstBuilder, Signature, Value};

impl Translator<'_, '_> {
    /// Does an extension op that is a plain function.
    pub(super) fn plain_function(&mut self, inst: &Inst) {
        let gives = match inst.word.flags() {
            flag::GIVES_INT => Kind::Int,
            _ => Kind::Float,
        };
        let (region, at) = (inst.site.region as usize, inst.site.at as usize);
        let result = match self.cx.program.plain_function(region, at) {
            Some(function) => self.apply(inst, &function, gives),
            None => self.step_for(inst, PAYLOAD, type_of(gives)),
        };
        self.define(inst.a(), gives, result);
    }

    /// What the function gives for the operands, which are gone then.
    fn apply(&mut self, inst: &Inst, function: &PlainFunction, gives: Kind) -> Value {
        // A guard that fails further on must not have it done once more.
        self.commit();
        let first = inst.a();
        let parameters = function.parameters().iter().enumerate();
        let arguments: Vec<Value> = parameters
            .map(|(place, kind)| match kind {
                PlainKind::Int => self.as_int(first + place),
                PlainKind::Float => self.as_float(first + place),
            })
            .collect();
        for place in 0..arguments.len() {
            self.make_way(first + place);
        }
        if let Some(lowering) = function.lowering() {
            let result = lowering.lower(&mut self.b, &arguments);
            if self.b.func.dfg.value_type(result) == type_of(gives) {
                return result;
            }
        }
        let signature = self.signature_of(function);
        let address = self.int(function.address() as i64);
        let call = self.b.ins().call_indirect(signature, address, &arguments);
        self.b.inst_results(call)[0]
    }

    fn signature_of(&mut self, function: &PlainFunction) -> ir::SigRef {
        let param = |kind: &PlainKind| {
            AbiParam::new(type_of(match kind {
                PlainKind::Int => Kind::Int,
                PlainKind::Float => Kind::Float,
            }))
        };
        let mut signature = Signature::new(self.cx.helper_conv);
        signature.params = function.parameters().iter().map(param).collect();
        signature.returns = vec![param(&function.gives())];
        self.b.import_signature(signature)
    }
}
