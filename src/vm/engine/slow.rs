//! What handlers do out of line: other kinds than the fast paths', bulk work, leaving.
//!
//! What an op means on values is in [`value`](crate::value), as everywhere. Functions that can fail
//! note the fault in the activation and give `false`.

#![allow(unsafe_code)]
// SAFETY of the whole module: the callers are handlers, which hand on what they were promised.
#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "every line relies on the same promise"
)]

use super::dispatch::{Pc, go_to};
use super::native;
use super::window::{Reg, reg, tag};
use super::{Activation, CallRecord, Exit, stack};
use crate::lower::code::{Binary, Unary, Word, Worked, flag};
use crate::op::Op;
use crate::value::{Excess, Value, Work, collection, compare, number, string};
use crate::vm::fused;
use crate::vm::limits::WORK_PER_FUEL;
use crate::vm::trap::{Fault, Step};

/// `to = from`, counted.
#[inline(never)]
pub(super) unsafe fn copy(to: Reg, from: Reg) {
    let value = from.counted();
    to.put(value);
}

/// `to = from`, not counted.
#[inline(never)]
pub(super) unsafe fn borrow(to: Reg, from: Reg) {
    to.clear();
    if from.is_counted() {
        to.set_borrowed(from);
    } else {
        to.set_halves(from);
    }
}

/// The registers of a `Clear` become Undef.
#[inline(never)]
pub(super) unsafe fn clear_slots(base: *mut u8, word: Word) {
    for place in 0..word.b() {
        reg(base, word.a() + place * 16).put(Value::Undef);
    }
}

/// The length of anything.
#[inline(never)]
pub(super) unsafe fn string_len(base: *mut u8, word: Word) {
    unary(base, word, |s| Value::Int(string::string_len(s)));
}

/// `to = from`, which is Undef then if it was counted.
#[inline(never)]
pub(super) unsafe fn take(to: Reg, from: Reg) {
    to.clear();
    to.set_halves(from);
    if from.is_counted() {
        from.set_word(u32::from(tag::UNDEF));
    }
}

/// As `copy`, but a value that dies is moved.
#[inline(never)]
pub(super) unsafe fn store(to: Reg, from: Reg, dies: bool) {
    let value = if dies { from.take() } else { from.counted() };
    to.put(value);
}

#[inline(never)]
pub(super) unsafe fn exchange(a: Reg, b: Reg) {
    let kept = a.peek();
    let kept_tag = a.tag();
    a.set_halves(b);
    b.set_halves(Reg((&raw const *kept).cast_mut().cast()));
    b.set_tag(kept_tag);
}

/// Drops what the first registers, up to this field, hold.
#[inline(never)]
pub(super) unsafe fn clear(base: *mut u8, end: u16) {
    for place in (0..end).step_by(16) {
        reg(base, place).clear();
    }
}

/// Moves the result to the first register and drops what the others hold.
#[inline(never)]
pub(super) unsafe fn return_counted(base: *mut u8, word: Word) {
    let value = reg(base, word.b()).take();
    clear(base, word.a());
    reg(base, 0).put(value);
}

/// The truth of what is no Bool.
#[inline(never)]
pub(super) unsafe fn truth(at: Reg, word: Word) -> bool {
    let truth = at.peek().is_truthy();
    if word.flags() & flag::FIRST_DIES != 0 {
        at.clear();
    }
    truth
}

/// Drops operands that die, as far as the result isn't in their place.
unsafe fn drop_operands(word: Word, a: Reg, b: Option<Reg>) {
    if word.flags() & flag::FIRST_DIES != 0 {
        a.clear();
    }
    if let Some(b) = b
        && word.flags() & flag::SECOND_DIES != 0
    {
        b.clear();
    }
}

#[inline(never)]
pub(super) unsafe fn binary(base: *mut u8, word: Word, meaning: fn(&Value, &Value) -> Value) {
    let (a, b) = (reg(base, word.b()), reg(base, word.c()));
    let result = meaning(&a.peek(), &b.peek());
    drop_operands(word, a, Some(b));
    reg(base, word.a()).put(result);
}

/// `d = d op b * c`.
#[inline(never)]
pub(super) unsafe fn accumulate(base: *mut u8, word: Word, meaning: fn(&Value, &Value) -> Value) {
    let (sum, a, b) = (
        reg(base, word.a()),
        reg(base, word.b()),
        reg(base, word.c()),
    );
    let product = number::mul(&a.peek(), &b.peek());
    let result = meaning(&sum.peek(), &product);
    drop_operands(word, a, Some(b));
    sum.put(result);
}

#[inline(never)]
pub(super) unsafe fn with_int(
    base: *mut u8,
    word: Word,
    k: i64,
    meaning: fn(&Value, &Value) -> Value,
) {
    let a = reg(base, word.b());
    let result = meaning(&a.peek(), &Value::Int(k));
    drop_operands(word, a, None);
    reg(base, word.a()).put(result);
}

#[inline(never)]
pub(super) unsafe fn with_float(base: *mut u8, word: Word, k: f64, meaning: fn(f64, f64) -> f64) {
    let a = reg(base, word.b());
    let result = Value::Float(meaning(a.peek().to_float(), k));
    drop_operands(word, a, None);
    reg(base, word.a()).put(result);
}

#[inline(never)]
pub(super) unsafe fn float_by(base: *mut u8, word: Word, k: f64) {
    let b = reg(base, word.b());
    let result = number::div(&Value::Float(k), &b.peek());
    drop_operands(word, b, None);
    reg(base, word.a()).put(result);
}

#[inline(never)]
pub(super) unsafe fn unary(base: *mut u8, word: Word, meaning: fn(&Value) -> Value) {
    let a = reg(base, word.b());
    let result = meaning(&a.peek());
    drop_operands(word, a, None);
    reg(base, word.a()).put(result);
}

/// The functions of the kinds of `Rop::Binary`.
const BINARY: [fn(&Value, &Value) -> Value; 9] = {
    fn undefined(_: &Value, _: &Value) -> Value {
        Value::Undef
    }
    let mut table: [fn(&Value, &Value) -> Value; 9] = [undefined; 9];
    table[Binary::NumEq as usize] = |a, b| Value::Bool(compare::num_eq(a, b));
    table[Binary::NumNe as usize] = |a, b| Value::Bool(compare::num_ne(a, b));
    table[Binary::NumLt as usize] = |a, b| Value::Bool(compare::num_lt(a, b));
    table[Binary::NumGt as usize] = |a, b| Value::Bool(compare::num_gt(a, b));
    table[Binary::NumLe as usize] = |a, b| Value::Bool(compare::num_le(a, b));
    table[Binary::NumGe as usize] = |a, b| Value::Bool(compare::num_ge(a, b));
    table[Binary::Spaceship as usize] = |a, b| Value::Int(compare::spaceship(a, b));
    table[Binary::LogAnd as usize] = number::log_and;
    table[Binary::LogOr as usize] = number::log_or;
    table
};

#[inline(never)]
pub(super) unsafe fn pow(base: *mut u8, word: Word) {
    let (to, a, b) = (
        reg(base, word.a()),
        reg(base, word.b()),
        reg(base, word.c()),
    );
    if (a.tag() & b.tag() == tag::FLOAT) & !to.is_counted() {
        to.set_float(number::pow_float(a.float(), b.float()));
    } else {
        binary(base, word, number::pow);
    }
}

pub(super) unsafe fn binary_kind(base: *mut u8, word: Word) {
    let kind = usize::from(word.flags() >> flag::KIND_SHIFT);
    binary(base, word, BINARY[kind]);
}

/// The functions of the kinds of `Rop::Unary`.
const UNARY: [fn(&Value) -> Value; 3] = {
    let mut table: [fn(&Value) -> Value; 3] = [number::negate; 3];
    table[Unary::LogNot as usize] = number::log_not;
    table[Unary::BitNot as usize] = number::bit_not;
    table
};

pub(super) unsafe fn unary_kind(base: *mut u8, word: Word) {
    let kind = usize::from(word.flags() >> flag::KIND_SHIFT);
    unary(base, word, UNARY[kind]);
}

/// The comparison of two registers.
#[inline(never)]
pub(super) unsafe fn compare(
    base: *mut u8,
    word: Word,
    meaning: fn(&Value, &Value) -> bool,
) -> bool {
    let (a, b) = (reg(base, word.a()), reg(base, word.b()));
    let holds = meaning(&a.peek(), &b.peek());
    drop_operands(word, a, Some(b));
    holds
}

/// The comparison with an Int.
#[inline(never)]
pub(super) unsafe fn compare_int(
    base: *mut u8,
    word: Word,
    k: i64,
    meaning: fn(&Value, &Value) -> bool,
) -> bool {
    let a = reg(base, word.a());
    let holds = if word.flags() & flag::AS_INT != 0 {
        meaning(&Value::Int(a.peek().to_int()), &Value::Int(k))
    } else {
        meaning(&a.peek(), &Value::Int(k))
    };
    drop_operands(word, a, None);
    holds
}

/// The comparison with a Float.
#[inline(never)]
pub(super) unsafe fn compare_float(
    base: *mut u8,
    word: Word,
    k: f64,
    meaning: fn(&Value, &Value) -> bool,
) -> bool {
    let a = reg(base, word.a());
    let holds = meaning(&a.peek(), &Value::Float(k));
    drop_operands(word, a, None);
    holds
}

#[inline(never)]
pub(super) unsafe fn increment(a: Reg) {
    let next = number::inc(&a.peek());
    a.put(next);
}

#[inline(never)]
pub(super) unsafe fn add_step(a: Reg, step: i64) {
    let next = number::add(&a.peek(), &Value::Int(step));
    a.put(next);
}

/// Fuel of the slice is used up: pays from what is left, and does the instruction's branch, or goes
/// on behind one that has none.
#[inline(never)]
pub(super) unsafe fn fuel(pc: Pc, base: *mut u8, act: *mut Activation, word: Word) -> bool {
    use crate::lower::code::Rop;
    if !(*act).succeeds(pc, base, |vm| vm.charge(1)) {
        return false;
    }
    let next = pc.offset(match word.op() {
        Rop::Fuel => 1,
        Rop::Loop => word.wide() as i32 as isize,
        _ => word.c() as i16 as isize,
    });
    if !native::at_loop(act, next, base, word.op() != Rop::Fuel) {
        return false;
    }
    resume(act)
}

/// A call of a sub that isn't lowered yet, or with the end of something reached. `callee` is the base
/// that the called frame would have: a handler that had to keep both would save registers for it.
#[inline(never)]
pub(super) unsafe fn call(pc: Pc, callee: *mut u8, act: *mut Activation, word: Word) -> bool {
    let region = word.wide() as usize;
    let base = callee.sub(usize::from(word.a()));
    if (*(*act).units.add(region)).entry.is_null() && !(*act).lower(region) {
        return leave(pc, base, act);
    }
    let frame_bytes = (*(*act).units.add(region)).frame_bytes as usize;
    let Some(callee) = open_window(pc, base, act, word.a(), frame_bytes) else {
        return false;
    };
    native::note_call(act, region, callee);
    (*act).resume = ((*(*act).units.add(region)).entry, callee);
    resume(act)
}

/// Goes on at [`Activation::resume`]; from the loop that began the run, if the stack has grown.
#[inline(always)]
pub(super) unsafe fn resume(act: *mut Activation) -> bool {
    if stack::has_grown(act) {
        return true;
    }
    go_to!((*act).resume.0, (*act).resume.1, act)
}

/// Pays for a call, makes room for it and records it; the base of the callee's window. Where that can't
/// be, the fault is noted.
pub(super) unsafe fn open_window(
    pc: Pc,
    base: *mut u8,
    act: *mut Activation,
    offset: u16,
    frame_bytes: usize,
) -> Option<*mut u8> {
    if !(*act).succeeds(pc, base, |vm| vm.charge(1)) {
        return None;
    }
    if (*act).calls_top == (*act).calls_end
        && let Err(fault) = (*act).grow_calls()
    {
        (*act).exit = Exit::Fault(pc, base, fault);
        return None;
    }
    let offset = usize::from(offset);
    let end = base.wrapping_add(offset + frame_bytes);
    let base = if end > (*act).window_end {
        match (*act).grow_window(base, offset + frame_bytes) {
            Ok(base) => base,
            Err((base, fault)) => {
                (*act).exit = Exit::Fault(pc, base, fault);
                return None;
            }
        }
    } else {
        base
    };
    (*act).calls_top.write(CallRecord {
        pc,
        base_offset: offset,
    });
    (*act).calls_top = (*act).calls_top.add(1);
    Some(base.add(offset))
}

/// Leaves the engine before the op at hand.
#[inline(never)]
pub(super) unsafe fn leave(pc: Pc, base: *mut u8, act: *mut Activation) -> bool {
    (*act).exit = Exit::Left(pc, base);
    false
}

/// Runs a stack op on the values in its operands' homes as the reference interpreter does.
#[inline(never)]
pub(super) unsafe fn outline(pc: Pc, base: *mut u8, act: *mut Activation, word: Word) -> bool {
    let at = *pc.add(1) as usize;
    let (first, pops, pushes) = (word.a(), word.b(), word.c());
    let height = (*act).machine_vm().stack.len();
    for place in 0..pops {
        let value = reg(base, first + place * 16).take();
        (*act).machine_vm().stack.push(value);
    }
    if !(*act).runs_op(pc, base, at) {
        (*act).machine_vm().stack.truncate(height);
        return false;
    }
    for place in (0..pushes).rev() {
        let value = (*act).machine_vm().stack.pop().unwrap_or_default();
        reg(base, first + place * 16).put(value);
    }
    true
}

/// Runs a fused loop on slots.
#[inline(never)]
pub(super) unsafe fn slot_loop(pc: Pc, base: *mut u8, act: *mut Activation, word: Word) -> bool {
    let (first, second) = (reg(base, word.a()), reg(base, word.b()));
    let program = &*(*act).program;
    let mut i = second.peek().to_int();
    let looped = match program.chunk().ops[*pc.add(1) as usize] {
        Op::AccumSumLoop(_, _, limit) => {
            let mut sum = first.peek().to_int();
            let looped = (*act).with_vm(|vm| fused::accum_sum(vm, &mut sum, &mut i, limit));
            first.put(Value::Int(sum));
            looped
        }
        Op::ConcatConstLoop(index, _, _, limit) => {
            let constant = &program.chunk().constants[usize::from(index)];
            let mut s = first.take();
            let looped =
                (*act).with_vm(|vm| fused::concat_const(vm, constant, &mut s, &mut i, limit));
            first.put(s);
            looped
        }
        Op::PushIntRangeLoop(array, _, limit) => (*act).as_running(|act| {
            let looped = act.with_vm(|vm| fused::push_int_range(vm, array, &mut i, limit));
            act.globals = act.machine_vm().globals.as_mut_ptr();
            looped
        }),
        _ => Ok(()),
    };
    second.put(Value::Int(i));
    match looped {
        Ok(()) => true,
        Err(fault) => {
            (*act).exit = Exit::Fault(pc, base, fault);
            false
        }
    }
}

impl Activation {
    /// Does something that may use fuel or memory, and notes the fault if there is one.
    unsafe fn succeeds(
        &mut self,
        pc: Pc,
        base: *mut u8,
        act: impl FnOnce(&mut crate::vm::VM) -> Step,
    ) -> bool {
        self.with_vm(act).map_or_else(
            |fault: Fault| {
                self.exit = Exit::Fault(pc, base, fault);
                false
            },
            |()| true,
        )
    }

    /// Does bulk work, and notes the fault if it fails.
    unsafe fn works<R>(
        &mut self,
        pc: Pc,
        base: *mut u8,
        act: impl FnOnce(&mut Work) -> Result<R, Excess>,
    ) -> Option<R> {
        match self.with_vm(|vm| vm.bulk(|_, work| act(work))) {
            Ok(result) => Some(result),
            Err(fault) => {
                self.exit = Exit::Fault(pc, base, fault);
                None
            }
        }
    }
}

type WorkedMeaning = fn(&Value, &Value, &mut Work) -> Result<Value, Excess>;

/// The functions of the kinds of `Rop::Worked`.
const WORKED: [WorkedMeaning; 9] = {
    let mut table: [WorkedMeaning; 9] = [string::repeat; 9];
    table[Worked::StrEq as usize] = |a, b, work| compare::str_eq(a, b, work).map(Value::Bool);
    table[Worked::StrNe as usize] = |a, b, work| compare::str_ne(a, b, work).map(Value::Bool);
    table[Worked::StrLt as usize] = |a, b, work| compare::str_lt(a, b, work).map(Value::Bool);
    table[Worked::StrGt as usize] = |a, b, work| compare::str_gt(a, b, work).map(Value::Bool);
    table[Worked::StrLe as usize] = |a, b, work| compare::str_le(a, b, work).map(Value::Bool);
    table[Worked::StrGe as usize] = |a, b, work| compare::str_ge(a, b, work).map(Value::Bool);
    table[Worked::StrCmp as usize] = |a, b, work| compare::str_cmp(a, b, work).map(Value::Int);
    table[Worked::Range as usize] = collection::range;
    table
};

#[inline(never)]
pub(super) unsafe fn worked(pc: Pc, base: *mut u8, act: *mut Activation, word: Word) -> bool {
    let (a, b) = (reg(base, word.b()), reg(base, word.c()));
    let meaning = WORKED[usize::from(word.flags() >> flag::KIND_SHIFT)];
    let result = (*act).works(pc, base, |work| meaning(&a.peek(), &b.peek(), work));
    let Some(result) = result else { return false };
    drop_operands(word, a, Some(b));
    reg(base, word.a()).put(result);
    true
}

/// `d = b . c`, in place where `b` is the destination, or dies, and nobody shares its string.
#[inline(never)]
pub(super) unsafe fn concat(pc: Pc, base: *mut u8, act: *mut Activation, word: Word) -> bool {
    let (to, a, b) = (
        reg(base, word.a()),
        reg(base, word.b()),
        reg(base, word.c()),
    );
    let in_place = (to == a || word.flags() & flag::FIRST_DIES != 0) && a != b;
    if in_place && a.tag() == tag::STR {
        let appends = |work: &mut Work| string::append(a.str_mut(), &b.peek(), work);
        if !append_short(act, a, b) && (*act).works(pc, base, appends).is_none() {
            return false;
        }
        drop_operands(Word(word.0 & !FIRST_DIES), a, Some(b));
        if to != a {
            take(to, a);
        }
        return true;
    }
    let result = (*act).works(pc, base, |work| string::join(&a.peek(), &b.peek(), work));
    let Some(result) = result else { return false };
    drop_operands(word, a, Some(b));
    to.put(result);
    true
}

/// The flag of a first operand that dies, in a word.
const FIRST_DIES: u64 = (flag::FIRST_DIES as u64) << 8;

/// Appends a string that costs no fuel to one that nobody shares and that has room for it; whether that was
/// so.
unsafe fn append_short(act: *mut Activation, a: Reg, b: Reg) -> bool {
    if b.tag() | tag::COUNTED != tag::STR {
        return false;
    }
    let (a, b) = (a.str_mut(), b.str().as_bytes());
    (b.len() as u64) < WORK_PER_FUEL
        && (a.len() + b.len()) / size_of::<Value>() < (*act).max_items
        && a.push_within(b)
}

/// `a = element c of the array`, whatever they are.
#[inline(never)]
pub(super) unsafe fn element(base: *mut u8, word: Word, array: Reg, counts: bool) {
    let (to, index) = (reg(base, word.a()), reg(base, word.c()));
    let array = array.peek();
    let index_value = index.peek();
    let item = collection::array_get(&array, &index_value);
    put_item(to, item, counts);
    if word.flags() & flag::SECOND_DIES != 0 && index != to {
        index.clear();
    }
}

/// Writes an item of a collection, borrowed unless it is to be counted.
unsafe fn put_item(to: Reg, item: &Value, counts: bool) {
    let item = Reg((&raw const *item).cast_mut().cast());
    if counts {
        to.put(item.counted());
        return;
    }
    to.clear();
    if item.is_counted() {
        to.set_borrowed(item);
    } else {
        to.set_halves(item);
    }
}

/// The value that a collection is to keep.
unsafe fn kept(value: Reg, word: Word) -> Value {
    if word.flags() & flag::SECOND_DIES != 0 {
        value.take()
    } else {
        value.counted()
    }
}

/// A place that holds a collection, as one that can be changed: a borrowed one is counted first.
unsafe fn changeable<'a>(place: Reg) -> &'a mut Value {
    if place.is_pointer() && !place.is_counted() {
        copy(place, place);
    }
    &mut *place.0.cast::<Value>()
}

#[inline(never)]
pub(super) unsafe fn set_element(
    pc: Pc,
    base: *mut u8,
    act: *mut Activation,
    word: Word,
    array: Reg,
) -> bool {
    let value = kept(reg(base, word.c()), word);
    store_element(pc, base, act, word, array, value)
}

/// Stores the Int that the instruction has.
#[inline(never)]
pub(super) unsafe fn set_element_int(
    pc: Pc,
    base: *mut u8,
    act: *mut Activation,
    word: Word,
    array: Reg,
) -> bool {
    store_element(pc, base, act, word, array, Value::Int(*pc.add(1) as i64))
}

/// Stores the scalar whose first half the instruction has.
#[inline(never)]
pub(super) unsafe fn set_element_word(
    pc: Pc,
    base: *mut u8,
    act: *mut Activation,
    word: Word,
    array: Reg,
) -> bool {
    let mut value = Value::Undef;
    Reg((&raw mut value).cast()).set_word(u32::from(word.c()));
    store_element(pc, base, act, word, array, value)
}

/// Stores a value as an element.
#[inline(never)]
pub(super) unsafe fn store_element(
    pc: Pc,
    base: *mut u8,
    act: *mut Activation,
    word: Word,
    array: Reg,
    value: Value,
) -> bool {
    let index = reg(base, word.b());
    let key = index.peek();
    let done = (*act).works(pc, base, |work| {
        collection::array_set(changeable(array), &key, value, work)
    });
    drop_operands(word, index, None);
    done.is_some()
}

#[inline(never)]
pub(super) unsafe fn push(
    pc: Pc,
    base: *mut u8,
    act: *mut Activation,
    word: Word,
    array: Reg,
) -> bool {
    let value = kept(reg(base, word.c()), word);
    let done = (*act).works(pc, base, |work| {
        collection::array_push(changeable(array), value, work)
    });
    done.is_some()
}

/// Whether the key is a string so short that looking for it is less work than a unit of fuel pays,
/// and that there is always a budget for.
unsafe fn is_short_string(key: Reg) -> bool {
    key.tag() | tag::COUNTED == tag::STR && (key.str().len() as u64) < WORK_PER_FUEL
}

#[inline(never)]
pub(super) unsafe fn hash_get(
    pc: Pc,
    base: *mut u8,
    act: *mut Activation,
    word: Word,
    counts: bool,
) -> bool {
    let (to, key) = (reg(base, word.a()), reg(base, word.c()));
    let hash = Reg((*act).globals.add(usize::from(word.b())).cast());
    if hash.tag() == tag::HASH && is_short_string(key) {
        let found = hash.hash().get_str(key.str()).unwrap_or(&Value::Undef);
        put_item(to, found, counts);
        if word.flags() & flag::SECOND_DIES != 0 && key != to {
            key.clear();
        }
        return true;
    }
    let key_value = key.peek();
    let hash = &*hash.0.cast::<Value>();
    let found = (*act).works(pc, base, |work| {
        collection::hash_get(hash, &key_value, work)
    });
    let Some(item) = found else { return false };
    if word.flags() & flag::SECOND_DIES != 0 && key != to {
        key.clear();
    }
    put_item(to, item, counts);
    true
}

#[inline(never)]
pub(super) unsafe fn hash_exists(pc: Pc, base: *mut u8, act: *mut Activation, word: Word) -> bool {
    let (to, key) = (reg(base, word.a()), reg(base, word.c()));
    let hash = Reg((*act).globals.add(usize::from(word.b())).cast());
    let found = if hash.tag() == tag::HASH && is_short_string(key) {
        Some(hash.hash().get_str(key.str()).is_some())
    } else {
        let (hash, key) = (&*hash.0.cast::<Value>(), key.peek());
        (*act).works(pc, base, |work| collection::hash_exists(hash, &key, work))
    };
    let Some(found) = found else { return false };
    drop_operands(word, key, Some(key));
    to.put(Value::Bool(found));
    true
}

/// The length of an element of the array, whatever they are.
#[inline(never)]
pub(super) unsafe fn element_len(base: *mut u8, word: Word, array: Reg) {
    let index = reg(base, word.c());
    let (array, index_value) = (array.peek(), index.peek());
    let len = string::string_len(collection::array_get(&array, &index_value));
    if word.flags() & flag::SECOND_DIES != 0 {
        index.clear();
    }
    reg(base, word.a()).put(Value::Int(len));
}

#[inline(never)]
pub(super) unsafe fn hash_set(pc: Pc, base: *mut u8, act: *mut Activation, word: Word) -> bool {
    let hash = Reg((*act).globals.add(usize::from(word.a())).cast());
    let (key, value) = (reg(base, word.b()), reg(base, word.c()));
    if hash.tag() == tag::HASH && is_short_string(key) && !value.is_pointer() {
        let map = hash.hash_mut().unshared_mut();
        if let Some(place) = map.and_then(|map| map.get_hinted_mut(key.str())) {
            Reg((&raw mut *place).cast()).put_halves(value);
            drop_operands(word, key, None);
            return true;
        }
    }
    let key_value = key.peek();
    let value = kept(value, word);
    let done = (*act).works(pc, base, |work| {
        collection::hash_set(changeable(hash), &key_value, value, work)
    });
    drop_operands(word, key, None);
    done.is_some()
}
