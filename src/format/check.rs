//! The check of a whole module: every byte of it, each fetched once where that is possible.
//!
//! The index is walked first, then the segments are swept from front to back: a window of bytes goes
//! into the segment's hash, and the records within it are decoded and verified while they are in the
//! cache.

use super::body::{Body, Ops};
use super::canonical;
use super::duplicates::DuplicateFinder;
use super::error::LoadError;
use super::index::{self, Walk};
use super::layout::IndexEntry;
use super::loaded::check_strict;
use super::module::{Inner, record_range};
use super::record::Parts;
use super::root::{self, RootRef};
use crate::code::Code;
use crate::verify::{Verifier, VerifyError};
use std::collections::HashSet;

/// Bytes that are fetched at a time: few enough for the second-level cache.
const WINDOW: u64 = 256 << 10;
/// How many errors a check reports at most.
const MOST_ERRORS: usize = 1000;

/// How much a check reports.
#[derive(Debug, Clone, Default)]
pub struct CheckOptions {
    all: bool,
}

impl CheckOptions {
    /// The defaults: the check ends at the first error.
    pub fn new() -> CheckOptions {
        CheckOptions::default()
    }

    /// Whether the check goes on behind an error. It ends at the thousandth.
    #[must_use]
    pub fn all(mut self, all: bool) -> CheckOptions {
        self.all = all;
        self
    }
}

/// What a check found.
#[derive(Debug, Default)]
pub struct Report {
    /// What is wrong; empty for a good module.
    pub errors: Vec<LoadError>,
    /// Chunks that are proved.
    pub strict: u64,
    /// Chunks that say they are loose, and are.
    pub loose: Vec<LooseChunk>,
    /// Chunks that were looked at.
    pub chunks: u64,
    /// Ops of them.
    pub ops: u64,
    /// Segments that were looked at.
    pub segments: u32,
    /// Bytes of the module.
    pub bytes: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_ok(&self) -> bool {
        self.errors.is_empty()
    }
}

/// A chunk that can't be proved.
#[derive(Debug)]
pub struct LooseChunk {
    /// Its name space.
    pub space: String,
    /// Its name.
    pub name: String,
    /// Why it can't be proved.
    pub reason: VerifyError,
}

/// Checks the module.
pub(crate) fn run(module: &Inner, options: &CheckOptions) -> Report {
    let mut check = Check {
        module,
        most_errors: if options.all { MOST_ERRORS } else { 1 },
        report: Report::default(),
        opset_level: 1,
        shared_keys: HashSet::new(),
        names: HashSet::new(),
        body: Body::default(),
        verifier: Verifier::new(),
        duplicates: DuplicateFinder::default(),
    };
    check.run();
    check.report
}

struct Check<'a> {
    module: &'a Inner,
    most_errors: usize,
    report: Report,
    /// The highest level of the records so far.
    opset_level: u16,
    /// Name keys that more than one entry has.
    shared_keys: HashSet<u64>,
    /// The names behind them.
    names: HashSet<(String, String)>,
    body: Body,
    verifier: Verifier,
    duplicates: DuplicateFinder,
}

/// The bytes of a segment up to its root.
struct Segment {
    start: u64,
    end: u64,
    hash: [u8; 32],
}

impl Check<'_> {
    fn run(&mut self) {
        self.report.bytes = self.module.slot.file_length.get();
        self.producer();
        if let Err(error) = self.module.metadata() {
            self.error(error);
        }
        let segments = self.segments();
        let entries = self.entries();
        let mut entries = entries.as_slice();
        for segment in &segments {
            if self.is_over() {
                return;
            }
            if let Err(error) = self.sweep(segment, &mut entries) {
                self.error(error);
            }
        }
        for entry in entries {
            let error = LoadError::new(Code::DamagedIndex)
                .with_found("a record outside of the segments")
                .with_expected("one within");
            self.error(error.at(entry.offset.get()));
        }
        if self.report.is_ok() {
            self.totals();
        }
    }

    fn error(&mut self, error: LoadError) {
        if !self.is_over() {
            let error = error.with_origin(&self.module.origin);
            self.report.errors.push(error);
        }
    }

    fn is_over(&self) -> bool {
        self.report.errors.len() >= self.most_errors
    }

    /// That the header's producer is a text, padded with zeros.
    fn producer(&mut self) {
        let producer = &self.module.header.producer;
        let end = producer.iter().position(|byte| *byte == 0);
        let (text, padding) = producer.split_at(end.unwrap_or(producer.len()));
        if std::str::from_utf8(text).is_err() || padding.iter().any(|byte| *byte != 0) {
            let found = format_args!("producer \"{}\"", producer.escape_ascii()).to_string();
            self.error(LoadError::structure(found, "UTF-8, padded with zeros").at(16));
        }
    }

    /// The segments from the first to the last, along the chain of roots.
    fn segments(&mut self) -> Vec<Segment> {
        let mut segments = Vec::new();
        let mut offset = self.module.slot.root_offset.get();
        let mut head = self.module.root.head;
        let mut previous = self.module.root.previous();
        loop {
            segments.push(Segment {
                start: head.segment_offset.get(),
                end: offset,
                hash: head.segment_hash,
            });
            let Some(root_ref) = previous else { break };
            match self.previous_root(&root_ref, head.segment_offset.get()) {
                Ok(root) if root.head.segment_number.get() + 1 == head.segment_number.get() => {
                    offset = root_ref.offset;
                    head = root.head;
                    previous = root.previous();
                }
                Ok(root) => {
                    let found = format_args!("segment {}", root.head.segment_number).to_string();
                    let expected = head.segment_number.get() - 1;
                    self.error(LoadError::structure(found, expected).at(root_ref.offset));
                    break;
                }
                Err(error) => {
                    self.error(error);
                    break;
                }
            }
        }
        segments.reverse();
        self.report.segments = segments.len() as u32;
        segments
    }

    /// The root in front of a segment that begins at `segment_offset`.
    fn previous_root(
        &self,
        root_ref: &RootRef,
        segment_offset: u64,
    ) -> Result<root::Root, LoadError> {
        let end = root_ref.offset.checked_add(u64::from(root_ref.length));
        if end != Some(segment_offset) {
            let found = "a segment that doesn't begin where the one before ended";
            return Err(LoadError::structure(found, "no gap").at(segment_offset));
        }
        root::read(&self.module.source, root_ref)
    }

    /// The entries of the index in the order of their records.
    fn entries(&mut self) -> Vec<IndexEntry> {
        let node = match self.module.index() {
            Ok(node) => node,
            Err(error) => {
                self.error(error);
                return Vec::new();
            }
        };
        let offset = self.module.root.index.offset.get();
        let most_errors = self.most_errors - self.report.errors.len().min(self.most_errors);
        let walk = Walk::run(&self.module.source, &node, offset, most_errors);
        for error in walk.errors {
            self.error(error);
        }
        let mut entries = walk.entries;
        let twins = entries
            .windows(2)
            .filter(|pair| pair[0].name_key == pair[1].name_key);
        self.shared_keys = twins.map(|pair| pair[0].name_key.get()).collect();
        entries.sort_unstable_by_key(|entry| entry.offset.get());
        entries
    }

    /// Hashes a segment and checks the records in it, which it takes from the front of `entries`.
    fn sweep(&mut self, segment: &Segment, entries: &mut &[IndexEntry]) -> Result<(), LoadError> {
        let mut buffer = Vec::new();
        let mut hasher = blake3::Hasher::new();
        let mut at = segment.start;
        let mut record_end = segment.start;
        while at < segment.end {
            let mut stop = segment.end.min(at + WINDOW);
            let mut window: Vec<&IndexEntry> = Vec::new();
            while let Some((entry, rest)) = entries.split_first()
                && entry.offset.get() < stop
            {
                *entries = rest;
                match record_range(entry, segment.end) {
                    Ok(range) if range.start >= record_end => {
                        record_end = range.end;
                        stop = stop.max(range.end);
                        window.push(entry);
                    }
                    Ok(range) => {
                        let error = LoadError::structure("records that overlap", "none");
                        self.error(error.at(range.start));
                    }
                    Err(error) => self.error(error),
                }
            }
            let bytes = self.module.source.view(at..stop, &mut buffer)?;
            hasher.update(bytes);
            for entry in window {
                let start = (entry.offset.get() - at) as usize;
                let record = &bytes[start..][..entry.length.get() as usize];
                if let Err(error) = self.record(entry, record) {
                    self.error(error.relative_to(entry.offset.get()));
                }
                if self.is_over() {
                    return Ok(());
                }
            }
            at = stop;
        }
        if hasher.finalize() != segment.hash {
            return Err(LoadError::new(Code::WrongContents)
                .with_found("a segment with another hash")
                .at(segment.start));
        }
        Ok(())
    }

    /// Checks a record. Places of errors are relative to it.
    fn record(&mut self, entry: &IndexEntry, record: &[u8]) -> Result<(), LoadError> {
        let parts = Parts::decode(record)?;
        let space = parts.space.text_of(record);
        let name = parts.name.text_of(record);
        self.name(entry, space, name)
            .and_then(|()| self.chunk(entry, &parts, record))
            .map_err(|error| error.in_chunk(space, name))
    }

    /// That the record is found under its own name, and no other is.
    fn name(&mut self, entry: &IndexEntry, space: &str, name: &str) -> Result<(), LoadError> {
        let key = index::name_key(space, name);
        if key != entry.name_key.get() {
            return Err(LoadError::new(Code::DamagedIndex)
                .with_found(format_args!("name key {:#018x}", entry.name_key))
                .with_expected(format_args!("{key:#018x}")));
        }
        let is_new = !self.shared_keys.contains(&key)
            || self.names.insert((space.to_owned(), name.to_owned()));
        if !is_new {
            return Err(LoadError::new(Code::DuplicateChunk));
        }
        Ok(())
    }

    fn chunk(&mut self, entry: &IndexEntry, parts: &Parts, record: &[u8]) -> Result<(), LoadError> {
        parts.decode_body(record, &mut self.body, Ops::Check, &mut self.verifier)?;
        let body = &self.body;
        self.report.chunks += 1;
        self.report.ops += body.op_count as u64;
        self.opset_level = self.opset_level.max(parts.opset_level);
        if body.op_count != entry.op_count.get() as usize {
            return Err(LoadError::new(Code::DamagedIndex)
                .with_found(format_args!("{} ops", entry.op_count))
                .with_expected(body.op_count));
        }
        if let Some(index) = self.duplicates.find(body.constants.constants(), record) {
            return Err(LoadError::new(Code::NotCanonical)
                .with_found(format_args!("constant {index} written in full"))
                .with_expected("a reference to the constant before that is the same string"));
        }
        self.strictness(parts, record)?;
        canonical::check_tables(&self.body, parts, record)
    }

    /// That the chunk is strict, or loose, as it says.
    fn strictness(&mut self, parts: &Parts, record: &[u8]) -> Result<(), LoadError> {
        let body = &self.body;
        if body.is_proved {
            self.report.strict += 1;
            return Ok(());
        }
        let verified = self.verifier.verify(&body.view());
        match (body.height, verified) {
            (Some(height), verified) => {
                check_strict(verified, height, body, parts, record)?;
                self.report.strict += 1;
            }
            (None, Ok(_)) => {
                return Err(LoadError::new(Code::NotCanonical)
                    .with_found("a chunk that says it is loose")
                    .with_expected("its stack height, as it is strict"));
            }
            (None, Err(reason)) => self.report.loose.push(LooseChunk {
                space: parts.space.text_of(record).to_owned(),
                name: parts.name.text_of(record).to_owned(),
                reason,
            }),
        }
        Ok(())
    }

    /// That the root counts as the records do.
    fn totals(&mut self) {
        let head = &self.module.root.head;
        for (what, found, expected) in [
            ("chunks", head.chunk_count.get(), self.report.chunks),
            ("ops", head.op_count.get(), self.report.ops),
            (
                "as the opset level",
                head.opset_level.get().into(),
                self.opset_level.into(),
            ),
        ] {
            if found != expected {
                let found = format_args!("a root that counts {found} {what}").to_string();
                let offset = self.module.slot.root_offset.get();
                self.error(LoadError::structure(found, expected).at(offset));
            }
        }
    }
}
