//! Elements of arrays by their views: what is at hand, opening, access.

use super::super::ir::inst::Inst;
use super::super::kinds::{Kind, Seen};
use super::super::views::{Array, Level, Levels, Views, can_be_opened};
use super::Translator;
use super::registers::{PAYLOAD, offset};
use crate::value::tag;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, BlockArg, InstBuilder, MemFlagsData, Value, types};
use cranelift_frontend::{FunctionBuilder, Variable};

/// Binary logarithm of an element's bytes.
const ELEMENT_SHIFT: i64 = 4;

/// The variables of a view: where elements begin, how many there are, how many can be written.
#[derive(Clone, Copy)]
struct View {
    items: Variable,
    len: Variable,
    writable: Variable,
}

/// An element whose index was compared.
struct Known {
    array: usize,
    index: Value,
    /// The tag that it is known to have.
    tag: Option<u8>,
}

/// What is at hand of arrays.
pub(super) struct Elements {
    pub(super) views: Views,
    variables: Vec<View>,
    levels: Levels,
    /// Indices and their distances in bytes.
    distances: Vec<(Value, Value)>,
    known: Vec<Known>,
    /// Arrays of which it was seen that they can be written.
    writable: Vec<usize>,
}

impl Elements {
    pub(super) fn new(views: Views, b: &mut FunctionBuilder<'_>) -> Elements {
        let variables = (0..views.count()).map(|_| View {
            items: b.declare_var(types::I64),
            len: b.declare_var(types::I64),
            writable: b.declare_var(types::I64),
        });
        Elements {
            variables: variables.collect(),
            levels: views.nothing(),
            views,
            distances: Vec::new(),
            known: Vec::new(),
            writable: Vec::new(),
        }
    }

    /// Begins a block.
    pub(super) fn begin(&mut self, block: usize) {
        self.levels.clone_from(self.views.at_start(block));
        self.distances.clear();
        self.known.clear();
        self.writable.clear();
    }

    /// Applies an instruction that has been written, before which registers were of these kinds.
    pub(super) fn step(&mut self, inst: &Inst, kinds: &[Kind], seen: Seen) {
        let before = self.levels.clone();
        self.views.step(inst, kinds, seen, &mut self.levels);
        for (array, level) in before.into_iter().enumerate() {
            if self.levels[array] < level {
                self.forget(array);
            }
        }
        if let Some((_, to)) = self.views.moved(inst, kinds) {
            self.forget(to);
        }
    }

    /// Whether the block wants more than is at hand.
    pub(super) fn lacks_for(&self, block: usize) -> bool {
        let wanted = self.views.at_start(block);
        self.levels
            .iter()
            .zip(wanted)
            .any(|(has, wants)| has < wants)
    }

    /// What is at hand.
    pub(super) fn at_hand(&self) -> Levels {
        self.levels.clone()
    }

    /// Only this is at hand.
    pub(super) fn set_at_hand(&mut self, levels: &Levels) {
        self.levels.clone_from(levels);
    }

    fn forget(&mut self, array: usize) {
        self.known.retain(|known| known.array != array);
        self.writable.retain(|known| *known != array);
    }

    fn find(&mut self, array: usize, index: Value) -> Option<&mut Known> {
        let mut known = self.known.iter_mut();
        known.find(|known| known.array == array && known.index == index)
    }
}

/// The values of a view.
#[derive(Clone, Copy)]
pub(super) struct Opened {
    items: Value,
    len: Value,
}

impl Translator<'_, '_> {
    /// Opens the views that a block wants and that aren't at hand. What is at hand stays noted as it
    /// was.
    pub(super) fn open_for(&mut self, block: usize) {
        let before = self.elements.levels.clone();
        for array in 0..before.len() {
            let wanted = self.elements.views.at_start(block)[array];
            self.open(array, wanted);
        }
        self.elements.levels = before;
    }

    /// Opens the views that any of these blocks wants, as far as the most demanding of them wants, if they
    /// can be opened wherever one of them is gone to: so it is one view whichever that is.
    pub(super) fn open_for_any(&mut self, blocks: &[usize]) {
        for array in 0..self.elements.levels.len() {
            let place = self.elements.views.array(array);
            let wanted = blocks
                .iter()
                .map(|block| self.elements.views.at_start(*block)[array]);
            let most = wanted.max().unwrap_or(Level::Nothing);
            let mut blocks = blocks.iter();
            if blocks.all(|block| can_be_opened(self.function, *block, place)) {
                self.open(array, most);
            }
        }
    }

    /// Sees that a view is at hand.
    fn open(&mut self, array: usize, level: Level) {
        if self.elements.levels[array] >= level {
            return;
        }
        let place = self.elements.views.array(array);
        let values = self.read_view(place, level);
        self.define_view(array, level, values);
        self.elements.levels[array] = level;
    }

    fn define_view(&mut self, array: usize, level: Level, [items, len, writable]: [Value; 3]) {
        let view = self.elements.variables[array];
        self.b.def_var(view.items, items);
        self.b.def_var(view.len, len);
        if level == Level::Write {
            self.b.def_var(view.writable, writable);
        }
        self.elements.forget(array);
    }

    /// Opens a view anew where it is at hand, as the array may have changed.
    pub(super) fn refresh(&mut self, array: Array) {
        if let Some(index) = self.elements.views.index(array) {
            let level = self.elements.levels[index];
            if level > Level::Nothing {
                let values = self.read_view(array, level);
                self.define_view(index, level, values);
            }
        }
    }

    /// The list and offset at which the value of an array is.
    fn value_place(&mut self, array: Array) -> (Value, i32) {
        match array {
            Array::Global(global) => {
                let globals = self.load_context(self.cx.layout.globals);
                (globals, offset(usize::from(global)))
            }
            Array::Register(register) => (self.base, offset(register)),
        }
    }

    /// Where the elements of an array begin, how many there are, and how many can be written; nothing
    /// of what is no array.
    fn read_view(&mut self, array: Array, level: Level) -> [Value; 3] {
        let flags = MemFlagsData::trusted();
        let (list, at) = self.value_place(array);
        let layout = self.cx.layout.array;
        let (is_array, done) = (self.b.create_block(), self.b.create_block());
        for _ in 0..3 {
            self.b.append_block_param(done, types::I64);
        }
        let found = self.b.ins().uload8(types::I64, flags, list, at);
        let counted = self.b.ins().bor_imm_u(found, i64::from(tag::COUNTED));
        let fits = self
            .b
            .ins()
            .icmp_imm_s(IntCC::Equal, counted, i64::from(tag::ARRAY));
        let none = self.int(0);
        let nothing = [none; 3].map(BlockArg::Value);
        self.b.ins().brif(fits, is_array, &[], done, &nothing);
        self.b.switch_to_block(is_array);
        self.b.seal_block(is_array);
        let buffer = self.b.ins().load(types::I64, flags, list, at + PAYLOAD);
        let all = self.b.ins().load(types::I64, flags, buffer, layout.len);
        let head = self.b.ins().load(types::I64, flags, buffer, layout.head);
        let items = self.b.ins().load(types::I64, flags, buffer, layout.items);
        let len = self.b.ins().isub(all, head);
        let distance = self.b.ins().ishl_imm_u(head, ELEMENT_SHIFT);
        let items = self.b.ins().iadd(items, distance);
        let writable = match level {
            Level::Write => {
                let count = self.b.ins().load(types::I64, flags, buffer, layout.count);
                let alone = self.b.ins().icmp_imm_s(IntCC::Equal, count, 1);
                let owned = self
                    .b
                    .ins()
                    .icmp_imm_s(IntCC::Equal, found, i64::from(tag::ARRAY));
                let both = self.b.ins().band(alone, owned);
                self.b.ins().select(both, len, none)
            }
            _ => none,
        };
        let values = [items, len, writable].map(BlockArg::Value);
        self.b.ins().jump(done, &values);
        self.b.switch_to_block(done);
        self.b.seal_block(done);
        let values = self.b.block_params(done);
        [values[0], values[1], values[2]]
    }

    /// Where elements of an array begin, and how many there are for what is to be done.
    pub(super) fn view(&mut self, array: Array, level: Level) -> Opened {
        let Some(index) = self.elements.views.index(array) else {
            let [items, len, writable] = self.read_view(array, level);
            let len = if level == Level::Write { writable } else { len };
            return Opened { items, len };
        };
        self.open(index, level);
        Opened {
            items: self.b.use_var(self.elements.variables[index].items),
            len: self.len_for(index, level),
        }
    }

    /// Has the view of what a register is set to at hand for the register, too, where the analysis
    /// says so.
    pub(super) fn move_view(&mut self, inst: &Inst) {
        let Some((from, to)) = self.elements.views.moved(inst, &self.kinds_before) else {
            return;
        };
        self.open(from, Level::Read);
        let (source, target) = (self.elements.variables[from], self.elements.variables[to]);
        let items = self.b.use_var(source.items);
        let len = self.b.use_var(source.len);
        self.b.def_var(target.items, items);
        self.b.def_var(target.len, len);
    }

    /// The length in a view that is at hand.
    pub(super) fn known_len(&mut self, array: Array) -> Option<Value> {
        let index = self.elements.views.index(array)?;
        let level = self.elements.levels[index];
        (level > Level::Nothing).then(|| self.len_of(index))
    }

    /// An element was appended in place.
    pub(super) fn lengthen(&mut self, array: Array) {
        let Some(index) = self.elements.views.index(array) else {
            return;
        };
        let view = self.elements.variables[index];
        let level = self.elements.levels[index];
        if level > Level::Nothing {
            let len = self.b.use_var(view.len);
            let longer = self.b.ins().iadd_imm_s(len, 1);
            self.b.def_var(view.len, longer);
            if level == Level::Write {
                self.b.def_var(view.writable, longer);
            }
        }
    }

    /// The address of an element; what is out of range goes to `slow`.
    pub(super) fn element_or(&mut self, view: Opened, index: Value, slow: ir::Block) -> Value {
        let fits = self.b.ins().icmp(IntCC::UnsignedLessThan, index, view.len);
        self.need(fits, slow);
        let distance = self.b.ins().ishl_imm_u(index, ELEMENT_SHIFT);
        self.b.ins().iadd(view.items, distance)
    }

    /// The address of an element; what is out of range goes back to the checkpoint.
    fn guarded_element(&mut self, array: Array, index: Value, level: Level) -> Value {
        let view = self.view(array, level);
        let place = self.elements.views.index(array);
        let is_known = place.is_some_and(|place| self.elements.find(place, index).is_some());
        let span = place.and_then(|place| self.span_of(place, index));
        let is_within = is_known || span.is_some();
        let is_writable = span.is_some_and(|span| span.level == Level::Write)
            || place.is_some_and(|place| self.elements.writable.contains(&place));
        if !is_within {
            let fits = self.b.ins().icmp(IntCC::UnsignedLessThan, index, view.len);
            self.guard(fits);
        } else if level == Level::Write && !is_writable {
            // All that can be read can be written, or nothing can.
            let some = self.b.ins().icmp_imm_s(IntCC::NotEqual, view.len, 0);
            self.guard(some);
        }
        if let Some(array) = place {
            if !is_known {
                let tag = None;
                self.elements.known.push(Known { array, index, tag });
            }
            if level == Level::Write && !is_writable {
                self.elements.writable.push(array);
            }
        }
        self.element_at(view, index)
    }

    /// How many elements can be accessed so, by a view that is at hand.
    pub(super) fn len_for(&mut self, view: usize, level: Level) -> Value {
        match level {
            Level::Write => self.b.use_var(self.elements.variables[view].writable),
            _ => self.len_of(view),
        }
    }

    /// The length in a view that is at hand.
    fn len_of(&mut self, view: usize) -> Value {
        let len = self.elements.variables[view].len;
        self.b.use_var(len)
    }

    /// The address of an element.
    fn element_at(&mut self, view: Opened, index: Value) -> Value {
        let distances = self.elements.distances.iter();
        let mut found = distances.filter(|(of, _)| *of == index);
        let distance = match found.next() {
            Some((_, distance)) => *distance,
            None => {
                let distance = self.b.ins().ishl_imm_u(index, ELEMENT_SHIFT);
                self.elements.distances.push((index, distance));
                distance
            }
        };
        self.b.ins().iadd(view.items, distance)
    }

    /// The element as an unboxed value of a kind, on the way into a loop; anything else goes to `out`.
    pub(super) fn element_before(
        &mut self,
        array: Array,
        index: Value,
        kind: Kind,
        out: ir::Block,
    ) -> Value {
        let flags = MemFlagsData::trusted();
        let view = self.view(array, Level::Read);
        let address = self.element_or(view, index, out);
        let fits = self.has_tag(address, tag_of(kind));
        self.need(fits, out);
        let ty = super::type_of(kind);
        self.b.ins().load(ty, flags, address, PAYLOAD)
    }

    /// Whether a value in memory has this tag.
    fn has_tag(&mut self, address: Value, expected: u8) -> Value {
        let flags = MemFlagsData::trusted();
        let found = self.b.ins().load(types::I8, flags, address, 0);
        let expected = i64::from(expected);
        self.b.ins().icmp_imm_s(IntCC::Equal, found, expected)
    }

    /// The element as an unboxed value of a kind; anything else goes back to the checkpoint.
    pub(super) fn load_element(&mut self, array: Array, index: Value, kind: Kind) -> Value {
        let flags = MemFlagsData::trusted();
        let address = self.guarded_element(array, index, Level::Read);
        let expected = tag_of(kind);
        let place = self.elements.views.index(array);
        let known = place.and_then(|place| {
            let known = self.elements.find(place, index)?;
            let had = known.tag;
            known.tag = Some(expected);
            had
        });
        if known != Some(expected) {
            let fits = self.has_tag(address, expected);
            self.guard(fits);
        }
        let ty = super::type_of(kind);
        self.b.ins().load(ty, flags, address, PAYLOAD)
    }

    /// Stores what isn't counted as an element that wasn't either; anything else goes back to the
    /// checkpoint. The tag is that of the value, if it is known.
    pub(super) fn store_element(
        &mut self,
        array: Array,
        index: Value,
        (low, high): (Value, Option<Value>),
        stored: Option<u8>,
    ) {
        let flags = MemFlagsData::trusted();
        let address = self.guarded_element(array, index, Level::Write);
        let place = self.elements.views.index(array);
        let known = place.and_then(|place| self.elements.find(place, index)?.tag);
        if known.is_none() {
            let old = self.b.ins().uload8(types::I64, flags, address, 0);
            let counted = self.b.ins().band_imm_u(old, i64::from(tag::COUNTED));
            self.guard_not(counted);
        }
        self.commit();
        if known.is_none() || known != stored {
            self.b.ins().store(flags, low, address, 0);
        }
        if let Some(high) = high {
            self.b.ins().store(flags, high, address, PAYLOAD);
        }
        let Some(place) = place else { return };
        // Another index may be the same number.
        for known in &mut self.elements.known {
            if known.array == place && known.index != index && known.tag != stored {
                known.tag = None;
            }
        }
        if let Some(known) = self.elements.find(place, index) {
            known.tag = stored;
        }
    }
}

/// The tag of an unboxed Int or Float.
pub(super) fn tag_of(kind: Kind) -> u8 {
    match kind {
        Kind::Float => tag::FLOAT,
        _ => tag::INT,
    }
}
