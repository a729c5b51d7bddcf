//! The metadata section: keys and values, sorted by key.

use super::cursor::{Cursor, write_bytes};
use super::error::LoadError;
use super::limits;
use crate::op::leb;
use std::collections::BTreeMap;

/// The metadata of a module: text keys, values of any bytes.
pub type Metadata = BTreeMap<String, Vec<u8>>;

/// The bytes of the section.
pub(crate) fn encode(metadata: &Metadata) -> Vec<u8> {
    let mut out = Vec::new();
    leb::write_unsigned(&mut out, metadata.len() as u64);
    for (key, value) in metadata {
        write_bytes(&mut out, key.as_bytes());
        write_bytes(&mut out, value);
    }
    out
}

/// The twin of [`encode`]. Offsets of errors count from the section's start.
pub(crate) fn decode(section: &[u8]) -> Result<Metadata, LoadError> {
    let mut cursor = Cursor::new(section, 0, section.len());
    let count = cursor.count("metadata entries", limits::META_BYTES as usize)?;
    let mut metadata = Metadata::new();
    for _ in 0..count {
        let start = cursor.position() as u64;
        let key = cursor.text("key")?.text_of(section);
        let value = cursor.bytes("value")?.of(section);
        if metadata
            .last_key_value()
            .is_some_and(|(last, _)| last.as_str() >= key)
        {
            return Err(LoadError::structure(
                format_args!("key {key:?} out of order"),
                "rising keys",
            )
            .at(start));
        }
        metadata.insert(key.to_owned(), value.to_vec());
    }
    cursor.expect_end("the end of the metadata")?;
    Ok(metadata)
}
