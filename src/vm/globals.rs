//! Globals by name, and by the names of the chunk that runs.

use super::VM;
use crate::value::Value;

impl VM {
    /// The global variable of this name; `None` if no chunk that has run so far has the name.
    ///
    /// ```
    /// use fusevm::{ChunkBuilder, Op, VM, Value};
    ///
    /// let mut b = ChunkBuilder::new();
    /// let answer = b.add_name("answer");
    /// b.emit(Op::LoadInt(42), 1);
    /// b.emit(Op::SetVar(answer), 1);
    /// let mut vm = VM::new(b.build());
    /// vm.run();
    /// assert_eq!(vm.global("answer"), Some(&Value::Int(42)));
    /// ```
    pub fn global(&mut self, name: &str) -> Option<&Value> {
        let place = self.known_symbol(name)?;
        self.globals.get(place)
    }

    /// Sets the global variable of this name, which is made if no chunk has the name yet. In a VM
    /// without an engine such a one can't be found again.
    pub fn set_global(&mut self, name: &str, value: Value) {
        let place = self.symbol(name);
        *self.global_at_place(place) = value;
    }

    /// The global variable that a name index stands for in the [running](VM::running) chunk: what a
    /// handler looks at that is given a name by its index.
    pub fn global_at(&mut self, name: u16) -> &Value {
        static UNDEF: Value = Value::Undef;
        let place = self.global_place(name);
        self.globals.get(place).unwrap_or(&UNDEF)
    }

    /// Sets the global variable that a name index stands for in the [running](VM::running) chunk.
    pub fn set_global_at(&mut self, name: u16, value: Value) {
        let place = self.global_place(name);
        *self.global_at_place(place) = value;
    }

    /// The global of this name of the running chunk, to be changed; the list grows to it.
    #[inline(always)]
    pub(super) fn global_mut(&mut self, name: u16) -> &mut Value {
        let place = self.global_place(name);
        self.global_at_place(place)
    }

    #[inline(always)]
    fn global_at_place(&mut self, place: usize) -> &mut Value {
        if place >= self.globals.len() {
            self.globals.resize(place + 1, Value::Undef);
        }
        &mut self.globals[place]
    }
}
