//! What can't be seen from outside: modules of several segments, deep indices, pools made to collide.

use super::constants::{self, Pool};
use super::cursor::Cursor;
use super::duplicates::DuplicateFinder;
use super::index::{self, Walk};
use super::layout::{
    HEADER_LENGTH, Header, IndexEntry, ROOT_MAGIC, RootHead, SEALED_HEADER, SECTION_INDEX, Section,
    Slot,
};
use super::module::Module;
use super::seal::seal_of;
use super::source::Source;
use super::storage::StoredFile;
use super::{CheckOptions, Entry, ModuleWriter, record, reseal, root};
use crate::code::Code;
use crate::value::Value;
use crate::{Chunk, ChunkBuilder, Op};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

fn number_chunk(number: i64) -> Chunk {
    let mut b = ChunkBuilder::new();
    b.emit(Op::LoadInt(number), 1);
    b.build()
}

fn module_of(names: &[&str]) -> Vec<u8> {
    let mut writer = ModuleWriter::new(std::io::Cursor::new(Vec::new())).unwrap();
    for (number, name) in names.iter().enumerate() {
        writer
            .add(&Entry::named(*name), &number_chunk(number as i64))
            .unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn header_of(module: &[u8]) -> Header {
    Header::read_from_prefix(module).unwrap().0
}

/// The entries of the module's index, which is one leaf.
fn entries_of(module: &Module) -> Vec<IndexEntry> {
    let node = module.inner().index().unwrap();
    Walk::run(&module.inner().source, &node, 0, 1).entries
}

/// Adds a segment with one chunk, or replaces the chunk of that name, and writes the slot that the
/// newest is not in.
fn append(bytes: &mut Vec<u8>, name: &str, chunk: &Chunk) {
    let module = Module::from_bytes(bytes.as_slice()).unwrap();
    let old = &module.inner().slot;
    let old_head = &module.inner().root.head;
    let key = index::name_key("", name);
    let mut entries = entries_of(&module);
    entries.retain(|entry| entry.name_key.get() != key);

    bytes.truncate(old.file_length.get() as usize);
    let segment_offset = bytes.len();
    let record = record::encode(&Entry::named(name), chunk).unwrap();
    entries.push(IndexEntry {
        name_key: key.into(),
        offset: (bytes.len() as u64).into(),
        length: (record.bytes.len() as u32).into(),
        op_count: (chunk.ops.len() as u32).into(),
    });
    bytes.extend(&record.bytes);
    let node = index::build(&mut entries, &mut |_| unreachable!("it is one leaf")).unwrap();
    let mut section = Section::new_zeroed();
    section.id.set(SECTION_INDEX);
    section.offset.set(bytes.len() as u64);
    section.length.set(node.len() as u64);
    section.seal.set(seal_of(&node));
    bytes.extend(&node);

    let mut head = RootHead::new_zeroed();
    head.magic = ROOT_MAGIC;
    head.segment_number.set(old_head.segment_number.get() + 1);
    head.section_count.set(1);
    head.segment_offset.set(segment_offset as u64);
    head.previous_root_offset = old.root_offset;
    head.previous_root_length = old.root_length;
    head.previous_root_hash = old.root_hash;
    head.opset_level.set(1);
    head.chunk_count.set(entries.len() as u64);
    head.op_count.set(
        entries
            .iter()
            .map(|entry| u64::from(entry.op_count.get()))
            .sum(),
    );
    head.segment_hash = blake3::hash(&bytes[segment_offset..]).into();
    let root = root::encode(&head, &[section]);

    let mut slot = Slot::empty();
    slot.generation.set(old.generation.get() + 1);
    slot.root_offset.set(bytes.len() as u64);
    slot.root_length.set(root.len() as u32);
    slot.file_length.set((bytes.len() + root.len()) as u64);
    slot.root_hash = blake3::hash(&root).into();
    slot.seal.set(slot.seal_in(&bytes[..SEALED_HEADER]));
    bytes.extend(&root);
    let mut header = header_of(bytes);
    header.slots[(old_head.segment_number.get() as usize + 1) % 2] = slot;
    bytes[..HEADER_LENGTH].copy_from_slice(header.as_bytes());
}

fn three_segments() -> Vec<u8> {
    let mut bytes = module_of(&["a", "b"]);
    append(&mut bytes, "c", &number_chunk(2));
    append(&mut bytes, "a", &number_chunk(7));
    bytes
}

fn number_of(module: &Module, name: &str) -> Op {
    module.chunk(name).unwrap().ops()[0].clone()
}

#[test]
fn a_module_of_several_segments_is_read_as_of_the_last() {
    let bytes = three_segments();
    let module = Module::from_bytes(bytes.as_slice()).unwrap();
    let report = module.check(&CheckOptions::new().all(true));
    assert!(report.is_ok(), "{}", report.errors[0]);
    assert_eq!((report.segments, report.chunks), (3, 3));
    assert_eq!((module.segment_count(), module.generation()), (3, 3));
    assert_eq!(number_of(&module, "a"), Op::LoadInt(7));
    assert_eq!(number_of(&module, "b"), Op::LoadInt(1));
    assert_eq!(number_of(&module, "c"), Op::LoadInt(2));
    let names = module
        .records()
        .unwrap()
        .map(|record| record.unwrap().name().to_owned());
    assert_eq!(names.collect::<Vec<_>>(), ["b", "c", "a"]);
    let mut resealed = bytes.clone();
    reseal(&mut resealed);
    assert!(resealed == bytes);
}

#[test]
fn where_the_newest_slot_is_damaged_the_module_is_as_before() {
    let mut bytes = three_segments();
    bytes[64 + 8] ^= 1;
    let module = Module::from_bytes(bytes.as_slice()).unwrap();
    assert!(module.check(&CheckOptions::new()).is_ok());
    assert_eq!(module.generation(), 2);
    assert_eq!(number_of(&module, "a"), Op::LoadInt(0));
}

#[test]
fn a_check_follows_the_chain_of_roots_and_loading_does_not() {
    let bytes = three_segments();
    let first_root = header_of(&module_of(&["a", "b"])).slots[0]
        .root_offset
        .get() as usize;
    for (at, code) in [
        // In the record of the first "a", which nothing reaches any more.
        (HEADER_LENGTH + 10, Code::WrongContents),
        (first_root + 40, Code::DamagedRoot),
    ] {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        let module = Module::from_bytes(bytes.as_slice()).unwrap();
        assert_eq!(number_of(&module, "a"), Op::LoadInt(7));
        let report = module.check(&CheckOptions::new());
        assert_eq!(report.errors[0].code(), code);
    }
}

#[test]
fn a_check_goes_on_behind_errors_when_asked() {
    let mut bytes = module_of(&["a", "b", "c"]);
    let module = Module::from_bytes(bytes.as_slice()).unwrap();
    for entry in entries_of(&module) {
        bytes[entry.offset.get() as usize + 24] ^= 1;
    }
    let module = Module::from_bytes(bytes).unwrap();
    assert_eq!(module.check(&CheckOptions::new()).errors.len(), 1);
    let report = module.check(&CheckOptions::new().all(true));
    let codes: Vec<Code> = report.errors.iter().map(|error| error.code()).collect();
    let record = Code::DamagedRecord;
    assert_eq!(codes, [record, record, record, Code::WrongContents]);
}

fn entry_of(key: u64, offset: u64) -> IndexEntry {
    IndexEntry {
        name_key: key.into(),
        offset: offset.into(),
        length: 0.into(),
        op_count: 0.into(),
    }
}

/// Builds an index into bytes behind a header; gives them and the root node.
fn build(mut entries: Vec<IndexEntry>) -> Option<(Source, Vec<u8>)> {
    let mut bytes = vec![0; HEADER_LENGTH];
    let root = index::build(&mut entries, &mut |node| {
        bytes.extend(node);
        Ok((bytes.len() - node.len()) as u64)
    });
    Some((Source::from_memory(bytes.into(), 0), root.ok()?))
}

#[test]
fn an_index_is_as_deep_as_its_names_are_alike() {
    // 65 keys that differ in the bits from `low` on.
    for (low, deep) in [(58, 1), (52, 2), (4, 10)] {
        let keys: Vec<u64> = (0..65).map(|i| i << (low - 1)).collect();
        let entries = keys
            .iter()
            .enumerate()
            .map(|(i, key)| entry_of(*key, i as u64));
        let (source, root) = build(entries.collect()).unwrap();
        let walk = Walk::run(&source, &root, 0, 1);
        assert!(
            walk.errors.is_empty(),
            "{deep} branches: {}",
            walk.errors[0]
        );
        assert_eq!(walk.entries.len(), 65);
        for (i, key) in keys.iter().enumerate() {
            let found = index::find(&source, &root, *key, |entry, _| {
                Ok(Some(entry.offset.get()))
            });
            assert_eq!(found.unwrap(), Some(i as u64));
        }
        let found = index::find(&source, &root, u64::MAX, |_, _| Ok(Some(())));
        assert_eq!(found.unwrap(), None);
    }
    let alike = (0..65).map(|i| entry_of(i % 16, i)).collect();
    assert!(build(alike).is_none(), "more than 64 names share 60 bits");
}

#[test]
fn names_with_the_same_key_are_told_apart_by_the_caller() {
    let (source, root) = build((0..3).map(|i| entry_of(5, i)).collect()).unwrap();
    let mut seen = Vec::new();
    let found = index::find(&source, &root, 5, |entry, _| {
        seen.push(entry.offset.get());
        Ok((entry.offset.get() == 1).then_some("the second"))
    });
    assert_eq!((found.unwrap(), seen), (Some("the second"), vec![0, 1]));
}

#[test]
fn a_branch_that_leads_to_one_node_again_and_again_ends_the_walk() {
    let (source, root) = build((0..65).map(|i| entry_of(i << 58, i)).collect()).unwrap();
    let mut bytes = root.clone();
    let (first, rest) = bytes[8..].split_at_mut(16);
    for child in rest.chunks_mut(16) {
        child.copy_from_slice(first);
    }
    let walk = Walk::run(&source, &bytes, 0, 5);
    assert_eq!(walk.errors.len(), 5);
}

/// The strings as a pool that writes each in full.
fn pool_of(strings: &[Vec<u8>]) -> (Vec<u8>, Pool) {
    let mut record = vec![0; 24];
    let start = record.len();
    crate::op::leb::write_unsigned(&mut record, strings.len() as u64);
    for string in strings {
        crate::op::leb::write_unsigned(&mut record, (string.len() as u64) << 2);
        record.extend(string);
    }
    let mut pool = Pool::default();
    let mut cursor = Cursor::new(&record, start, record.len());
    pool.decode(&mut cursor, &record).unwrap();
    (record, pool)
}

#[test]
fn a_string_that_is_written_twice_is_found() {
    let mut finder = DuplicateFinder::default();
    let mut strings: Vec<Vec<u8>> = (0..40).map(|len| vec![b'x'; len]).collect();
    for strings in [&mut strings, &mut vec![]] {
        let (record, pool) = pool_of(strings);
        assert_eq!(finder.find(pool.constants(), &record), None);
        strings.push(vec![b'x'; strings.len() / 2]);
        strings.push(vec![b'y']);
        let (record, pool) = pool_of(strings);
        let expected = (strings.len() > 2).then_some(40);
        assert_eq!(finder.find(pool.constants(), &record), expected);
    }
}

#[test]
fn a_pool_that_was_made_to_collide_takes_no_longer_than_sorting() {
    // Alike but for the middle, which the hash doesn't look at.
    let string = |i: u32| [&b"beginning"[..], &i.to_be_bytes(), b"the ending"].concat();
    let mut strings: Vec<Vec<u8>> = (0..60_000).map(string).collect();
    let mut finder = DuplicateFinder::default();
    let (record, pool) = pool_of(&strings);
    assert_eq!(finder.find(pool.constants(), &record), None);
    strings.push(string(500));
    let (record, pool) = pool_of(&strings);
    assert_eq!(finder.find(pool.constants(), &record), Some(60_000));
}

#[test]
fn equal_strings_are_written_once() {
    let text = |text: &str| Value::str(text);
    let mut out = Vec::new();
    let pool = [text("aa"), Value::Int(1), text("aa"), text("b"), text("aa")];
    constants::encode(&mut out, &pool).unwrap();
    // A count; "aa"; kind 3 and 1; a reference to 0; "b"; a reference to 0.
    assert_eq!(out, [5, 8, b'a', b'a', 14, 2, 1, 4, b'b', 1]);
}

/// A file that counts the bytes that are read of it.
#[derive(Debug)]
struct Counted(Vec<u8>, AtomicU64);

impl StoredFile for Counted {
    fn len(&self) -> std::io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> std::io::Result<()> {
        into.copy_from_slice(&self.0[at as usize..][..into.len()]);
        self.1.fetch_add(into.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    fn write_at(&self, _: u64, _: &[u8]) -> std::io::Result<()> {
        Err(std::io::ErrorKind::PermissionDenied.into())
    }

    fn sync(&self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_index_that_makes_names_collide_does_not_make_a_lookup_read_much() {
    let long = "x".repeat(1 << 20);
    let names: Vec<String> = (0..64).map(|i| format!("f{i}")).collect();
    let mut writer = ModuleWriter::new(std::io::Cursor::new(Vec::new())).unwrap();
    for name in &names {
        let mut chunk = number_chunk(1);
        chunk.constants.push(Value::str(long.as_str()));
        writer.add(&Entry::named(name), &chunk).unwrap();
    }
    let mut bytes = writer.finish().unwrap().into_inner();
    let module = Module::from_bytes(bytes.as_slice()).unwrap();
    let leaf = module.inner().root.index.offset.get() as usize + 8;
    let mut entries = entries_of(&module);
    entries
        .iter_mut()
        .for_each(|entry| entry.name_key = index::name_key("", "f7").into());
    index::sort(&mut entries);
    bytes[leaf..][..entries.len() * 24].copy_from_slice(entries.as_bytes());
    reseal(&mut bytes);

    let file = Arc::new(Counted(bytes, AtomicU64::new(0)));
    let module = Module::of_storage(Source::stored(file.clone()).unwrap(), "counted").unwrap();
    for (name, most) in [("f7", 2 << 20), ("absent", 64 << 10), ("f8", 64 << 10)] {
        let before = file.1.load(Ordering::Relaxed);
        let found = module.find("", name).unwrap();
        assert_eq!(found.is_some(), name == "f7");
        let read = file.1.load(Ordering::Relaxed) - before;
        assert!(read < most, "{name}: {read} bytes");
    }
    assert!(!module.check(&CheckOptions::new()).is_ok());
}
