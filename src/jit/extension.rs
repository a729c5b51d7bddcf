//! What a frontend tells of its extension ops beside their handlers: which of them are plain functions of
//! numbers, and how native code does those without a call.

#![allow(unsafe_code)]

use crate::value::Value;
use std::fmt;
#[cfg(feature = "jit")]
use std::sync::Arc;

/// A frontend's word on its extension ops.
///
/// An op for which it gives a [`PlainFunction`] needs no handler: the function is what the op does, in
/// every interpreter. Its operands are taken as the numbers that the function wants, as arithmetic takes
/// them, and its result is the op's. Such an op costs the register engine and native code no more than a
/// call of the function, where a handler has all of the VM's state put in its place first.
///
/// ```
/// use fusevm::chunk::{Effect, Import, ImportKind, Touches};
/// use fusevm::jit::{JitExtension, PlainFunction};
/// use fusevm::{ChunkBuilder, Engine, Op, Value};
///
/// extern "C" fn hypotenuse(a: f64, b: f64) -> f64 {
///     a.hypot(b)
/// }
///
/// struct Geometry;
///
/// impl JitExtension for Geometry {
///     fn can_jit(&self, ext_id: u16) -> bool {
///         ext_id == 7
///     }
///
///     fn op_count(&self) -> usize {
///         1
///     }
///
///     fn name(&self) -> &str {
///         "geometry"
///     }
///
///     fn function(&self, ext_id: u16) -> Option<PlainFunction> {
///         let hypotenuse: extern "C" fn(f64, f64) -> f64 = hypotenuse;
///         (ext_id == 7).then(|| hypotenuse.into())
///     }
/// }
///
/// let engine = Engine::builder().jit_extension("", Geometry).build();
/// let mut b = ChunkBuilder::new();
/// b.declare_import(Import {
///     kind: ImportKind::Extension,
///     id: 7,
///     space: String::new(),
///     name: "hypotenuse".to_owned(),
///     effect: Effect::Fixed { pops: 2, pushes: 1 },
///     touches: Touches::ARGUMENTS,
/// });
/// b.emit(Op::LoadInt(3), 1);
/// b.emit(Op::LoadFloat(4.0), 1);
/// b.emit(Op::Extended(7, 0), 1);
/// let unit = engine.unit("main", b.build());
/// assert_eq!(engine.vm(&unit).execute().unwrap(), Some(Value::Float(5.0)));
/// ```
pub trait JitExtension: Send + Sync {
    /// Whether the extension op of this number can be compiled, for
    /// [`JitCompiler::is_eligible`](super::JitCompiler::is_eligible).
    fn can_jit(&self, ext_id: u16) -> bool;

    /// How many extension ops there are.
    fn op_count(&self) -> usize;

    /// The name of the extension, for messages.
    fn name(&self) -> &str;

    /// The function that the extension op of this number is, if it is one. The same one each time.
    fn function(&self, ext_id: u16) -> Option<PlainFunction> {
        let _ = ext_id;
        None
    }
}

/// A kind of numbers that plain functions take and give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PlainKind {
    /// An `i64`.
    Int,
    /// An `f64`.
    Float,
}

mod sealed {
    /// What keeps other types out.
    pub trait Sealed {}
    impl Sealed for i64 {}
    impl Sealed for f64 {}
}

/// A type that plain functions take and give: `i64` or `f64`.
pub trait PlainValue: sealed::Sealed + Copy {
    /// Its kind.
    const KIND: PlainKind;

    /// The number that a value is taken as.
    fn of_value(value: &Value) -> Self;

    /// The number as a value.
    fn into_value(self) -> Value;
}

impl PlainValue for i64 {
    const KIND: PlainKind = PlainKind::Int;

    fn of_value(value: &Value) -> i64 {
        value.to_int()
    }

    fn into_value(self) -> Value {
        Value::Int(self)
    }
}

impl PlainValue for f64 {
    const KIND: PlainKind = PlainKind::Float;

    fn of_value(value: &Value) -> f64 {
        value.to_float()
    }

    fn into_value(self) -> Value {
        Value::Float(self)
    }
}

/// A function of up to four numbers with C's calling convention, made by `From` from a pointer to it. It
/// must not panic: that ends the process.
#[derive(Clone)]
pub struct PlainFunction {
    parameters: &'static [PlainKind],
    gives: PlainKind,
    address: Address,
    invoke: Invoke,
    #[cfg(feature = "jit")]
    lowering: Option<Arc<dyn NativeLowering>>,
}

/// Calls the function at an address with as many values as it has parameters.
type Invoke = unsafe fn(Address, &[Value]) -> Value;

/// The address of a function.
#[derive(Clone, Copy)]
struct Address(*const ());

// SAFETY: functions are the same for all threads.
unsafe impl Send for Address {}
// SAFETY: as above.
unsafe impl Sync for Address {}

macro_rules! plain_functions {
    ($(($($parameter:ident $place:literal),*))*) => { $(
        impl<$($parameter: PlainValue,)* R: PlainValue> From<extern "C" fn($($parameter),*) -> R>
            for PlainFunction
        {
            fn from(function: extern "C" fn($($parameter),*) -> R) -> PlainFunction {
                unsafe fn invoke<$($parameter: PlainValue,)* R: PlainValue>(
                    address: Address,
                    values: &[Value],
                ) -> Value {
                    type Function<$($parameter,)* R> = extern "C" fn($($parameter),*) -> R;
                    // SAFETY: the address is that of a function of this type.
                    let function = unsafe {
                        std::mem::transmute::<*const (), Function<$($parameter,)* R>>(address.0)
                    };
                    let _ = values;
                    function($($parameter::of_value(&values[$place])),*).into_value()
                }
                PlainFunction {
                    parameters: const { &[$($parameter::KIND),*] },
                    gives: R::KIND,
                    address: Address(function as *const ()),
                    invoke: invoke::<$($parameter,)* R>,
                    #[cfg(feature = "jit")]
                    lowering: None,
                }
            }
        }
    )* };
}

plain_functions! {
    ()
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
}

impl PlainFunction {
    /// The kinds of its parameters.
    pub fn parameters(&self) -> &'static [PlainKind] {
        self.parameters
    }

    /// The kind of its result.
    pub fn gives(&self) -> PlainKind {
        self.gives
    }

    /// Has native code do without the call.
    #[cfg(feature = "jit")]
    #[must_use]
    pub fn lowered_by(self, lowering: impl NativeLowering + 'static) -> PlainFunction {
        PlainFunction {
            lowering: Some(Arc::new(lowering)),
            ..self
        }
    }

    /// What it gives for values, as many as it has parameters.
    ///
    /// # Panics
    /// If there are fewer.
    pub(crate) fn call(&self, values: &[Value]) -> Value {
        // SAFETY: it was made for the function at the address.
        unsafe { (self.invoke)(self.address, values) }
    }

    /// Where it is, as long as the process lives.
    #[cfg(feature = "jit")]
    pub(crate) fn address(&self) -> usize {
        self.address.0.expose_provenance()
    }

    /// How native code does it without a call.
    #[cfg(feature = "jit")]
    pub(crate) fn lowering(&self) -> Option<&dyn NativeLowering> {
        self.lowering.as_deref()
    }
}

impl fmt::Debug for PlainFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "PlainFunction({:?} -> {:?})",
            self.parameters, self.gives
        )
    }
}

/// Writes a plain function down for Cranelift, in the place of its call.
///
/// The types are those of [`cranelift`](super::cranelift).
///
/// # Safety
/// What [`lower`](NativeLowering::lower) emits must give what the function gives for all arguments, read
/// and write no memory that it doesn't own, and end in the block whose last instruction gives the result,
/// with all blocks that it has made sealed.
#[cfg(feature = "jit")]
pub unsafe trait NativeLowering: Send + Sync {
    /// Emits the instructions and gives their result: an `i64` or `f64`, as the function gives. The
    /// arguments are such values, as it takes. Nothing outside of the code may be referred to: no
    /// function, no data.
    fn lower(
        &self,
        builder: &mut cranelift_frontend::FunctionBuilder<'_>,
        arguments: &[cranelift_codegen::ir::Value],
    ) -> cranelift_codegen::ir::Value;
}

#[cfg(test)]
mod tests {
    use super::*;

    extern "C" fn mixed(a: i64, b: f64, c: i64) -> f64 {
        a as f64 + b * c as f64
    }

    extern "C" fn seven() -> i64 {
        7
    }

    #[test]
    fn values_are_taken_as_numbers() {
        let mixed: extern "C" fn(i64, f64, i64) -> f64 = mixed;
        let function = PlainFunction::from(mixed);
        let kinds = [PlainKind::Int, PlainKind::Float, PlainKind::Int];
        assert_eq!(function.parameters(), kinds);
        assert_eq!(function.gives(), PlainKind::Float);
        let given = function.call(&[Value::str("2"), Value::Int(3), Value::Float(4.9)]);
        assert_eq!(given, Value::Float(14.0));
        let seven: extern "C" fn() -> i64 = seven;
        assert_eq!(PlainFunction::from(seven).call(&[]), Value::Int(7));
    }
}
