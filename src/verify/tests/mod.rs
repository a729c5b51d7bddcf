//! Whether each rule holds, in time, and as a second verifier that goes by the specification sees it.

mod bounds;
mod model;
mod rules;

use super::{CodeView, ImportRow, Shape, Sub, Verifier, VerifyError};
use crate::chunk::{Effect, ImportKind, Touches};
use crate::op::Op;
use Op::*;

/// A chunk's parts, owned.
#[derive(Debug, Clone, Default)]
struct Sample {
    ops: Vec<Op>,
    constants: usize,
    names: usize,
    subs: Vec<Sub>,
    blocks: Vec<(usize, usize)>,
    imports: Vec<ImportRow>,
}

impl Sample {
    /// Ops in a chunk with a few constants and names.
    fn new(ops: Vec<Op>) -> Self {
        Sample {
            ops,
            constants: 2,
            names: 4,
            ..Sample::default()
        }
    }

    fn sub(mut self, name: u16, entry: usize, argc: Option<u8>) -> Self {
        self.subs.push(Sub { name, entry, argc });
        self
    }

    fn block(mut self, start: usize, end: usize) -> Self {
        self.blocks.push((start, end));
        self
    }

    fn import(mut self, row: ImportRow) -> Self {
        self.imports.push(row);
        self
    }

    fn view(&self) -> CodeView<'_> {
        CodeView {
            ops: &self.ops,
            constants: self.constants,
            names: self.names,
            subs: &self.subs,
            blocks: &self.blocks,
            imports: &self.imports,
        }
    }

    /// Verifies it in stages and in one pass, which must not prove anything else.
    fn verify(&self) -> Result<Shape, VerifyError> {
        let staged = super::verify(&self.view());
        if let Some(passed) = self.prove() {
            let staged = staged
                .as_ref()
                .unwrap_or_else(|e| panic!("{self:?} is proved: {e}"));
            assert_eq!(facts(&passed), facts(staged));
        }
        staged
    }

    /// Its shape, if one pass over its bytes proves it strict.
    fn prove(&self) -> Option<Shape> {
        let mut code = Vec::new();
        for op in &self.ops {
            op.encode(&mut code);
        }
        let view = CodeView {
            ops: &[],
            ..self.view()
        };
        let mut verifier = Verifier::new();
        let mut ops = Vec::new();
        let proof = verifier.prove(&code, self.ops.len(), &view, &mut ops)?;
        assert_eq!(format!("{ops:?}"), format!("{:?}", self.ops));
        let shape = verifier.into_shape();
        assert_eq!(proof.height, shape.height());
        Some(shape)
    }
}

/// What a shape says, in a form that doesn't depend on the order in which scopes were found.
fn facts(shape: &Shape) -> impl PartialEq + std::fmt::Debug {
    // A scope goes by its region and by the op that opens it.
    let identity = |scope: usize| {
        (
            shape.scopes()[scope].region,
            shape.scopes()[scope].opened_by,
        )
    };
    let states =
        (0..shape.states.len()).map(|op| (shape.height_at(op), shape.scope_at(op).map(identity)));
    let regions = shape.regions().iter();
    let regions = regions.map(|r| (r.kind, r.entry, r.entry_height, r.height, identity(r.scope)));
    let scopes = shape.scopes().iter().enumerate();
    let mut scopes: Vec<_> = scopes
        .map(|(scope, s)| {
            (
                identity(scope),
                s.parent.map(identity),
                s.base,
                s.depth,
                s.slots,
            )
        })
        .collect();
    scopes.sort_unstable();
    (
        states.collect::<Vec<_>>(),
        regions.collect::<Vec<_>>(),
        shape.subs().to_vec(),
        shape.region_of_block.clone(),
        shape.needs(),
        scopes,
    )
}

/// The pass must prove what frontends emit: it is what a whole-file check and a first use cost.
#[test]
fn one_pass_proves_common_code() {
    let loops = vec![
        LoadInt(3),
        SetSlot(0),
        GetSlot(0),
        JumpIfFalse(8),
        GetSlot(0),
        Dec,
        SetSlot(0),
        Jump(2),
        Return,
        // Dead, and a sub with a scope.
        Pop,
        PushFrame,
        LoadConst(1),
        LoadInt(1 << 40),
        CallBuiltin(7, 2),
        PopFrame,
        Return,
    ];
    let import = ImportRow {
        kind: ImportKind::Builtin,
        id: 7,
        effect: Effect::Arguments { pushes: 1 },
        touches: Touches::GLOBALS,
    };
    let sample = Sample::new(loops).sub(0, 10, None).import(import);
    let shape = sample.prove().expect("common code");
    assert_eq!(shape.height_at(9), None);
    assert_eq!((shape.height(), shape.scopes().len()), (2, 3));
    assert!(sample.verify().is_ok());
}
