//! The names of a record, from its first bytes alone: for searches by prefix, and to tell apart what
//! the index can't. The record's seal covers all of it, so nothing is sure before it is fetched whole.

use super::cursor::check_utf8;
use super::error::LoadError;
use super::layout::RecordHead;
use super::source::Source;
use std::ops::Range;
use zerocopy::FromBytes;

/// Bytes that are fetched first: most names end within them.
const FIRST: u64 = 256;

/// What a record says of itself in its first bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Peek {
    pub(crate) opset_level: u16,
    pub(crate) space: String,
    pub(crate) name: String,
}

/// Looks at the record in `range`. The buffer is room to work in.
pub(crate) fn peek(
    source: &Source,
    range: &Range<u64>,
    buffer: &mut Vec<u8>,
) -> Result<Peek, LoadError> {
    let mut end = range.end.min(range.start + FIRST);
    loop {
        let bytes = source.view(range.start..end, buffer)?;
        match read(bytes).map_err(|error| error.at(range.start))? {
            Ok(peek) => return Ok(peek),
            Err(more) if range.start + more > range.end => {
                let found = "names that are longer than their record";
                return Err(LoadError::structure(found, "shorter ones").at(range.start));
            }
            Err(more) => end = range.start + more,
        }
    }
}

/// What a record that begins so says, or how many bytes that takes.
fn read(record: &[u8]) -> Result<Result<Peek, u64>, LoadError> {
    let (head, names) = RecordHead::ref_from_prefix(record)
        .map_err(|_| LoadError::structure("a short record", "24 bytes at least"))?;
    let (space, name) = (head.space_length.get(), head.name_length.get());
    let both = usize::from(space) + usize::from(name);
    let Some(names) = names.get(..both) else {
        return Ok(Err((size_of::<RecordHead>() + both) as u64));
    };
    let (space, name) = names.split_at(space.into());
    check_utf8("name space", space)?;
    check_utf8("name", name)?;
    Ok(Ok(Peek {
        opset_level: head.opset_level.get(),
        space: String::from_utf8_lossy(space).into_owned(),
        name: String::from_utf8_lossy(name).into_owned(),
    }))
}
