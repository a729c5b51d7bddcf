//! The header: magic, version, producer, and the two slots of which the newest intact one counts.

use super::error::{LoadError, Origin};
use super::layout::{
    FORMAT_MAJOR, FORMAT_MINOR, HEADER_LENGTH, Header, MAGIC, SEALED_HEADER, Slot,
};
use super::limits;
use super::source::Source;
use crate::code::Code;
use zerocopy::{FromBytes, FromZeros, IntoBytes};

/// The bytes of a header whose first slot is this one, of which the seal is set.
pub(crate) fn encode(producer: &str, slot: &Slot) -> [u8; HEADER_LENGTH] {
    let mut header = Header::new_zeroed();
    header.magic = MAGIC;
    header.format_major.set(FORMAT_MAJOR);
    header.format_minor.set(FORMAT_MINOR);
    header.header_length.set(HEADER_LENGTH as u32);
    header.producer[..producer.len()].copy_from_slice(producer.as_bytes());
    header.slots[0] = *slot;
    let seal = slot.seal_in(&header.as_bytes()[..SEALED_HEADER]);
    header.slots[0].seal.set(seal);
    zerocopy::transmute!(header)
}

/// Reads the header and chooses the slot. The producer goes to `origin` as soon as it is known, for
/// the messages of what follows.
pub(crate) fn read(source: &Source, origin: &mut Origin) -> Result<(Header, Slot), LoadError> {
    let mut buffer = Vec::new();
    let available = source.len().min(HEADER_LENGTH as u64);
    let bytes = source.view(0..available, &mut buffer)?;
    check_magic(bytes)?;
    if let Some(head) = bytes.first_chunk::<SEALED_HEADER>() {
        origin.producer = producer_of(&head[16..]);
        let major = u16::from_le_bytes([head[8], head[9]]);
        if major != FORMAT_MAJOR {
            return Err(LoadError::new(Code::WrongMajor)
                .with_found(format_args!("version {major}"))
                .with_expected(format_args!("version {FORMAT_MAJOR}"))
                .at(8));
        }
    }
    let header = Header::read_from_bytes(bytes).map_err(|_| {
        LoadError::new(Code::Truncated)
            .with_found(format_args!("{} bytes", bytes.len()))
            .with_expected(format_args!("a header of {HEADER_LENGTH}"))
    })?;
    let slot = choose_slot(&header)?;
    if header.header_length.get() != HEADER_LENGTH as u32 {
        let found = format_args!("a header length of {}", header.header_length).to_string();
        return Err(LoadError::structure(found, HEADER_LENGTH).at(12));
    }
    if header.zero != [0; 32] {
        return Err(LoadError::structure("a reserved field that is set", "zero").at(224));
    }
    check_slot(&slot, source.len())?;
    Ok((header, slot))
}

fn check_magic(bytes: &[u8]) -> Result<(), LoadError> {
    if bytes.starts_with(&MAGIC) {
        return Ok(());
    }
    let error = LoadError::new(if bytes.is_empty() || !MAGIC.starts_with(bytes) {
        Code::NotFvbc
    } else {
        Code::Truncated
    });
    let first = &bytes[..bytes.len().min(16)];
    Err(match first {
        [] => error.with_found("an empty file"),
        [b'#', b'!', ..] => error.with_found("a script"),
        [0x89, b'F', b'V', b'B', b'C', ..] => {
            error.with_found("a .fvbc file that was transferred as text")
        }
        _ => error.with_found(format_args!("\"{}\"", first.escape_ascii())),
    }
    .with_expected(format_args!("\"{}\"", MAGIC.escape_ascii()))
    .at(0))
}

/// The producer's name in a header's bytes from 16 on, if it is a text.
fn producer_of(bytes: &[u8]) -> Option<String> {
    let text = bytes.split(|byte| *byte == 0).next()?;
    let text = std::str::from_utf8(text).ok()?;
    (!text.is_empty()).then(|| text.to_owned())
}

/// The intact slot with the higher generation.
fn choose_slot(header: &Header) -> Result<Slot, LoadError> {
    let sealed = &header.as_bytes()[..SEALED_HEADER];
    let [first, second] = &header.slots;
    match (is_intact(first, sealed), is_intact(second, sealed)) {
        (true, true) if first.generation == second.generation => {
            let found = format_args!("two slots of generation {}", first.generation).to_string();
            Err(LoadError::structure(found, "different generations").at(64))
        }
        (true, true) if first.generation.get() < second.generation.get() => Ok(*second),
        (true, _) => Ok(*first),
        (false, true) => Ok(*second),
        (false, false) => Err(LoadError::new(Code::DamagedHeader).at(64)),
    }
}

fn is_intact(slot: &Slot, sealed_header: &[u8]) -> bool {
    let root_end = slot
        .root_offset
        .get()
        .checked_add(u64::from(slot.root_length.get()));
    slot.generation.get() != 0
        && slot.seal.get() == slot.seal_in(sealed_header)
        && slot.zero_1.get() == 0
        && slot.zero_2.get() == 0
        && slot.zero_3.get() == 0
        && root_end == Some(slot.file_length.get())
}

/// That the slot's file is all there.
fn check_slot(slot: &Slot, available: u64) -> Result<(), LoadError> {
    let length = slot.file_length.get();
    if length > limits::FILE_BYTES {
        return Err(LoadError::over_limit("bytes", length, limits::FILE_BYTES).at(64));
    }
    if length > available {
        return Err(LoadError::new(Code::Truncated)
            .with_found(format_args!("{available} bytes"))
            .with_expected(length));
    }
    if slot.root_offset.get() < HEADER_LENGTH as u64 {
        return Err(LoadError::structure("a root within the header", "one behind it").at(64));
    }
    Ok(())
}
