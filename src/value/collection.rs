//! What the array, hash and range ops mean.
//!
//! The functions on "array var N" take the variable itself, and hold what happens where it is no
//! array or no hash, so that every tier does the same. `SlotArrayGet` and `SlotArraySet` mean what
//! `ArrayGet` and `ArraySet` do. What needs an effect or a block is the VM's.

use super::convert::{self, Form};
use super::hash::Key;
use super::walk::Descent;
use super::work::{ELEMENT_BYTES, Excess, Work};
use super::{Array, Map, Str, Value};

/// What reading a place that isn't there gives.
static UNDEF: Value = Value::Undef;

/// `ArrayGet`: the element at `index` (to Int); Undef where it is negative or out of range, or
/// where `array` is no array. Free.
#[inline]
pub fn array_get<'a>(array: &'a Value, index: &Value) -> &'a Value {
    let Value::Array(items) = array else {
        return &UNDEF;
    };
    usize::try_from(index.to_int())
        .ok()
        .and_then(|index| items.get(index))
        .unwrap_or(&UNDEF)
}

/// `ArraySet`: stores at `index` (to Int), in place where the array isn't shared, and fills with
/// Undef up to it. No effect where `array` is no array. Costs one unit for each Undef filled in.
///
/// # Errors
/// [`Excess::NegativeIndex`]; [`Excess`] when the array would be too large or the work runs out.
#[inline]
pub fn array_set(
    array: &mut Value,
    index: &Value,
    value: Value,
    work: &mut Work,
) -> Result<(), Excess> {
    let Value::Array(items) = array else {
        return Ok(());
    };
    let index = index.to_int();
    let Ok(place) = u64::try_from(index) else {
        return Err(Excess::NegativeIndex { index });
    };
    let len = items.len() as u64;
    if place >= len {
        work.fits_array(place.saturating_add(1))?;
        work.charge(place - len)?;
        items.fill_undef(place - len, work)?;
        items.push(value);
    } else {
        items[place as usize] = value;
    }
    Ok(())
}

/// `ArrayPush`: appends, in place where the array isn't shared. No effect where `array` is no
/// array. Free.
///
/// # Errors
/// [`Excess::ValueTooLarge`] when the array would be too large.
#[inline]
pub fn array_push(array: &mut Value, value: Value, work: &mut Work) -> Result<(), Excess> {
    if let Value::Array(items) = array {
        work.fits_array(items.len() as u64 + 1)?;
        items.push(value);
    }
    Ok(())
}

/// `ArrayPop`: removes and gives the last element; Undef where there is none, or where `array` is
/// no array. Free.
#[inline]
pub fn array_pop(array: &mut Value) -> Value {
    match array {
        Value::Array(items) => items.pop().unwrap_or_default(),
        _ => Value::Undef,
    }
}

/// `ArrayShift`: removes and gives the first element, likewise.
#[inline]
pub fn array_shift(array: &mut Value) -> Value {
    match array {
        Value::Array(items) => items.shift().unwrap_or_default(),
        _ => Value::Undef,
    }
}

/// `ArrayLen`: the number of elements; 0 where `array` is no array. Free.
#[inline]
pub fn array_len(array: &Value) -> i64 {
    match array {
        Value::Array(items) => items.len() as i64,
        _ => 0,
    }
}

/// The array in a variable; one that holds no array gets an empty one first. What
/// `PushIntRangeLoop` does even where it pushes nothing. Free.
#[inline]
pub fn make_array_in_place(variable: &mut Value) {
    if !matches!(variable, Value::Array(_)) {
        *variable = Value::Array(Array::default());
    }
}

/// `MakeArray`: an array of the values, bottom to top. Costs a unit for each.
///
/// # Errors
/// [`Excess`] when the array would be too large or the work runs out.
pub fn make_array(
    items: impl ExactSizeIterator<Item = Value>,
    work: &mut Work,
) -> Result<Value, Excess> {
    work.fits_array(items.len() as u64)?;
    work.charge(items.len() as u64)?;
    Ok(Value::Array(items.collect()))
}

/// Runs `act` on the entry table and the bytes of the key's string form, where `hash` is a hash.
/// Costs the key's string form and a unit for each of its bytes.
#[inline]
fn with_key<'a, R>(
    hash: &'a Value,
    key: &Value,
    work: &mut Work,
    act: impl FnOnce(&'a Map, Key<'_>) -> R,
) -> Result<Option<R>, Excess> {
    let Value::Hash(map) = hash else {
        return Ok(None);
    };
    let form = key_form(key, work)?;
    Ok(Some(act(map, key_of(key, &form))))
}

/// The key that a value is, its form being at hand.
#[inline]
fn key_of<'a>(value: &'a Value, form: &'a Form<'a>) -> Key<'a> {
    match value {
        Value::Str(s) => Key::of_str(s),
        _ => Key::of_bytes(form.as_bytes()),
    }
}

#[inline]
fn key_form<'a>(key: &'a Value, work: &mut Work) -> Result<Form<'a>, Excess> {
    let form = Form::of(key, work)?;
    work.charge(form.as_bytes().len() as u64)?;
    Ok(form)
}

/// `HashGet`: the value of the key's string form; Undef where there is none, or where `hash` is no
/// hash (free then). Costs the key's string form and a unit for each of its bytes.
///
/// # Errors
/// [`Excess`] when the key's string form is too large or the work runs out.
#[inline]
pub fn hash_get<'a>(hash: &'a Value, key: &Value, work: &mut Work) -> Result<&'a Value, Excess> {
    let found = with_key(hash, key, work, |map, key| map.find(key))?;
    Ok(found.flatten().unwrap_or(&UNDEF))
}

/// `HashExists`: whether the key's string form has an entry; false where `hash` is no hash (free
/// then). Costs the key's string form and a unit for each of its bytes.
///
/// # Errors
/// [`Excess`] when the key's string form is too large or the work runs out.
#[inline]
pub fn hash_exists(hash: &Value, key: &Value, work: &mut Work) -> Result<bool, Excess> {
    let found = with_key(hash, key, work, |map, key| map.find(key).is_some())?;
    Ok(found.unwrap_or(false))
}

/// `HashSet`: sets the value of the key's string form, in place where the hash isn't shared; a new
/// key goes to the end. No effect where `hash` is no hash (free then). Costs the key's string form
/// and a unit for each of its bytes.
///
/// # Errors
/// [`Excess`] when the hash or the key's string form would be too large or the work runs out.
#[inline]
pub fn hash_set(
    hash: &mut Value,
    key: &Value,
    value: Value,
    work: &mut Work,
) -> Result<(), Excess> {
    let Value::Hash(hash) = hash else {
        return Ok(());
    };
    let form = key_form(key, work)?;
    let place = key_of(key, &form);
    let full = work.fits_hash(hash.len() as u64 + 1);
    if full.is_err() && hash.find(place).is_none() {
        return full;
    }
    hash.set(place, value, || kept_form(key, &form));
    Ok(())
}

/// As [`owned_form`], of a form that stays.
fn kept_form(value: &Value, form: &Form<'_>) -> Str {
    match value {
        Value::Str(s) => s.clone(),
        _ => Str::from(form.as_bytes()),
    }
}

/// A value's string form to keep: the string itself where the value is one.
fn owned_form(value: &Value, form: Form<'_>) -> Str {
    match value {
        Value::Str(s) => s.clone(),
        _ => Str::from(form),
    }
}

/// `HashDelete`: removes the entry of the key's string form and gives its value, in place where the
/// hash isn't shared; the last entry moves into the gap. Undef where there is no such entry, or
/// where `hash` is no hash (free then). Costs the key's string form and a unit for each of its
/// bytes.
///
/// # Errors
/// [`Excess`] when the key's string form is too large or the work runs out.
#[inline]
pub fn hash_delete(hash: &mut Value, key: &Value, work: &mut Work) -> Result<Value, Excess> {
    let Value::Hash(hash) = hash else {
        return Ok(Value::Undef);
    };
    let form = key_form(key, work)?;
    // A shared table isn't copied to remove nothing from it.
    let place = key_of(key, &form);
    if hash.find(place).is_none() {
        return Ok(Value::Undef);
    }
    Ok(hash.take(place).unwrap_or_default())
}

/// `HashKeys`: an array of the keys in order; empty where `hash` is no hash. Costs a unit for each.
///
/// # Errors
/// [`Excess`] when the array would be too large or the work runs out.
pub fn hash_keys(hash: &Value, work: &mut Work) -> Result<Value, Excess> {
    match hash {
        Value::Hash(map) => make_array(map.keys().cloned().map(Value::Str), work),
        _ => Ok(Value::Array(Array::default())),
    }
}

/// `HashValues`: an array of the values in order; empty where `hash` is no hash. Costs a unit for
/// each.
///
/// # Errors
/// [`Excess`] when the array would be too large or the work runs out.
pub fn hash_values(hash: &Value, work: &mut Work) -> Result<Value, Excess> {
    match hash {
        Value::Hash(map) => make_array(map.values().cloned(), work),
        _ => Ok(Value::Array(Array::default())),
    }
}

/// `MakeHash`: a hash of key, value, key, value, bottom to top. A key that comes again keeps its
/// place and takes the later value; a key without a value is left out. Costs a unit for each pair,
/// and each key's string form and bytes.
///
/// # Errors
/// [`Excess`] when the hash or a key would be too large or the work runs out.
pub fn make_hash(
    mut items: impl ExactSizeIterator<Item = Value>,
    work: &mut Work,
) -> Result<Value, Excess> {
    work.charge(items.len() as u64 / 2)?;
    let mut hash = Value::map(Map::new());
    while let (Some(key), Some(value)) = (items.next(), items.next()) {
        hash_set(&mut hash, &key, value, work)?;
    }
    Ok(hash)
}

/// `Range`: the integers from `from` to `to`, both included; empty where `to` is less. Costs a unit
/// for each.
///
/// # Errors
/// [`Excess`] when the array would be too large or the work runs out.
pub fn range(from: &Value, to: &Value, work: &mut Work) -> Result<Value, Excess> {
    steps(from.to_int(), to.to_int(), 1, work)
}

/// `RangeStep`: the integers from `from` by `step`, as far as `to`, which is included if it is met.
/// Counts down where `step` is negative; empty where it is 0. Costs a unit for each.
///
/// # Errors
/// [`Excess`] when the array would be too large or the work runs out.
pub fn range_step(
    from: &Value,
    to: &Value,
    step: &Value,
    work: &mut Work,
) -> Result<Value, Excess> {
    steps(from.to_int(), to.to_int(), step.to_int(), work)
}

fn steps(from: i64, to: i64, step: i64, work: &mut Work) -> Result<Value, Excess> {
    let distance = i128::from(to) - i128::from(from);
    let step_wide = i128::from(step);
    let count = if step == 0 || (distance != 0 && (distance < 0) != (step < 0)) {
        0
    } else {
        u64::try_from(distance / step_wide + 1).unwrap_or(u64::MAX)
    };
    work.fits_array(count)?;
    work.charge(count)?;
    let mut items = Vec::new();
    work.reserve(&mut items, count)?;
    // All but the value after the last one are between `from` and `to`.
    items.extend((0..count).scan(from, |next, _| {
        let item = *next;
        *next = next.wrapping_add(step);
        Some(Value::Int(item))
    }));
    Ok(Value::array(items))
}

/// `SortDefault`: the elements in the bytewise order of their string forms; equal ones keep their
/// order. What is no array is given back as it is, free.
///
/// Writes the string forms of the elements that are no strings: together they count as one value,
/// and cost as [`append_form`](convert::append_form) says. Sorting then costs the number of elements
/// plus the bytes of all string forms, times the number of binary digits of the number of elements:
/// a bound of what a merge compares.
///
/// # Errors
/// [`Excess`] when those string forms are too large or the work runs out.
pub fn sort_default(value: Value, work: &mut Work) -> Result<Value, Excess> {
    let Value::Array(array) = value else {
        return Ok(value);
    };
    let order = sorted_order(&array, work)?;
    let mut items = array.into_vec();
    let sorted = order.into_iter().map(|i| std::mem::take(&mut items[i]));
    Ok(Value::Array(sorted.collect()))
}

/// The places of the elements in the order of their string forms.
fn sorted_order(array: &[Value], work: &mut Work) -> Result<Vec<usize>, Excess> {
    let mut made = Vec::new();
    let mut ends = Vec::new();
    for item in array {
        if !matches!(item, Value::Str(_)) {
            convert::append_form(item, &mut made, work)?;
        }
        ends.push(made.len());
    }
    let mut start = 0;
    let mut keys: Vec<(&[u8], usize)> = Vec::with_capacity(array.len());
    for (place, (item, end)) in array.iter().zip(ends).enumerate() {
        let key = match item {
            Value::Str(s) => s.as_bytes(),
            _ => &made[start..end],
        };
        keys.push((key, place));
        start = end;
    }
    let bytes = keys.iter().fold(keys.len() as u64, |sum, (key, _)| {
        sum.saturating_add(key.len() as u64)
    });
    let rounds = u64::from(usize::BITS - keys.len().leading_zeros());
    work.charge(bytes.saturating_mul(rounds))?;
    keys.sort_by_key(|(key, _)| *key);
    Ok(keys.into_iter().map(|(_, place)| place).collect())
}

/// What words are together, as [`flatten`] counts it.
#[derive(Default)]
pub(crate) struct WordsSize {
    /// Units of work.
    pub(crate) units: u64,
    /// Bytes that are held to the size of one value.
    pub(crate) bytes: u64,
    /// Whether some of the words are elements of arrays.
    pub(crate) has_arrays: bool,
}

/// The size of values that are strings and arrays of such: then [`flatten`] gives these very strings. `None` of
/// others.
#[inline]
pub(crate) fn size_of_words(values: &[Value]) -> Option<WordsSize> {
    let mut size = WordsSize::default();
    for value in values {
        match value {
            Value::Str(word) => size.add(word),
            Value::Array(items) => {
                size.units = size.units.saturating_add(1);
                size.has_arrays = true;
                for item in items.as_slice() {
                    let Value::Str(word) = item else {
                        return None;
                    };
                    size.add(word);
                }
            }
            _ => return None,
        }
    }
    Some(size)
}

impl WordsSize {
    #[inline]
    fn add(&mut self, word: &Str) {
        let bytes = word.len() as u64;
        self.units = self.units.saturating_add(bytes + 1);
        self.bytes = self.bytes.saturating_add(bytes + ELEMENT_BYTES);
    }
}

/// The words of a command: arrays give theirs, nested ones too, all else its string form. Costs a
/// unit for each value visited and each byte of a word; the words, at 16 bytes beside their
/// own, are held to the size of one value.
///
/// # Errors
/// [`Excess`] when the words would be too large or the work runs out.
pub fn flatten(values: &[Value], work: &mut Work) -> Result<Vec<Str>, Excess> {
    let mut words = Vec::with_capacity(values.len());
    let mut size: u64 = 0;
    for (_, value) in Descent::into(values) {
        work.charge(1)?;
        let Some(form) = Form::of_scalar(value) else {
            continue;
        };
        let bytes = form.as_bytes().len() as u64;
        work.charge(bytes)?;
        size = size.saturating_add(bytes + ELEMENT_BYTES);
        work.fits(size)?;
        words.push(owned_form(value, form));
    }
    Ok(words)
}
