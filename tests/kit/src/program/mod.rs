//! Random programs: well-formed, and ending within little fuel.
//!
//! They come in families, as what one never makes another may. Each program is written from
//! statements and expressions, an expression leaving one value, so that all are strict.

mod grown;
mod numeric;
mod tangled;

use fusevm::{Chunk, VM, Value, value::number};

/// What a generated program is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Every kind of op that needs no host, blocks and extension ops included.
    Grown,
    /// Few slots and names, used for everything: values stay on the stack, slots change kind, loops
    /// are of every shape.
    Tangled,
    /// Arithmetic on numbers in slots and arrays, in loops and calls.
    Numeric,
}

impl Family {
    /// All families.
    pub const ALL: [Family; 3] = [Family::Grown, Family::Tangled, Family::Numeric];

    /// The family's program of a seed.
    pub fn program(self, seed: u64) -> Chunk {
        match self {
            Family::Grown => grown::program(seed),
            Family::Tangled => tangled::program(seed),
            Family::Numeric => numeric::program(seed),
        }
    }
}

/// The grown program of a seed.
pub fn program(seed: u64) -> Chunk {
    Family::Grown.program(seed)
}

/// Extension ops that generated programs call: number, values taken, values left.
///
/// 0 sets the global 0 to the Int of its argument byte. 1 leaves its operand plus the argument byte, as
/// `Add`. 2 sets the slot 0 of the current frame to its operand. 3 leaves global 1.
pub const EXTENSIONS: [(u16, u8, u8); 4] = [(0, 0, 0), (1, 1, 1), (2, 1, 0), (3, 0, 1)];

/// Gives `vm` the handlers of [`EXTENSIONS`].
pub fn install_extensions(vm: &mut VM) {
    vm.set_extension_handler(Box::new(|vm, id, argument| match id {
        0 => vm.globals[0] = Value::int(argument.into()),
        1 => {
            let sum = number::add(&vm.pop(), &Value::int(argument.into()));
            vm.push(sum);
        }
        2 => {
            let value = vm.pop();
            if let Some(frame) = vm.frames.last_mut() {
                if frame.slots.is_empty() {
                    frame.slots.push(Value::Undef);
                }
                frame.slots[0] = value;
            }
        }
        3 => {
            let value = vm.globals[1].clone();
            vm.push(value);
        }
        _ => {}
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use fusevm::verify::verify_chunk;

    #[test]
    fn generated_programs_are_strict() {
        for (family, seed) in Family::ALL
            .into_iter()
            .flat_map(|f| (0..1500).map(move |s| (f, s)))
        {
            if let Err(error) = verify_chunk(&family.program(seed)) {
                panic!("{family:?}, seed {seed}: {error}");
            }
        }
    }
}
