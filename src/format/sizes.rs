//! Where the bytes of a module and of a record go. Nothing is judged here: what is measured was
//! decoded before.

use super::constants::Pool;
use super::cursor::Cursor;
use super::error::LoadError;
use super::layout::HEADER_LENGTH;
use super::limits;
use super::module::Inner;
use super::record::Parts;

/// Bytes of a module, by part. They add up to the [length of the file](super::Module::file_length).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ModuleSizes {
    /// The header.
    pub header: u64,
    /// The records of the chunks that the index knows.
    pub records: u64,
    /// The nodes of the index.
    pub index: u64,
    /// The metadata section.
    pub metadata: u64,
    /// The root record.
    pub root: u64,
    /// All else: sections that this reader doesn't know, and what newer segments have replaced.
    pub other: u64,
}

impl ModuleSizes {
    pub(crate) fn of(module: &Inner) -> Result<ModuleSizes, LoadError> {
        let node = module.index()?;
        let walk = module.walk(&node)?;
        let records = walk.entries.iter();
        let mut sizes = ModuleSizes {
            header: HEADER_LENGTH as u64,
            records: records.map(|entry| u64::from(entry.length.get())).sum(),
            index: walk.bytes,
            metadata: module.root.meta.map_or(0, |section| section.length.get()),
            root: u64::from(module.slot.root_length.get()),
            other: 0,
        };
        let parts = [sizes.records, sizes.index, sizes.metadata, sizes.root];
        let known = sizes.header + parts.iter().sum::<u64>();
        // Only in a hostile file do parts overlap.
        sizes.other = module.slot.file_length.get().saturating_sub(known);
        Ok(sizes)
    }
}

/// Bytes of a record, by part. They add up to its length.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordSizes {
    /// The record's head with the chunk's name space, name, key, source and link.
    pub head: u64,
    /// The constant pool.
    pub constants: u64,
    /// The name table.
    pub names: u64,
    /// Subs, blocks, imports, and the counts before the constants.
    pub tables: u64,
    /// The instructions.
    pub code: u64,
    /// The source lines.
    pub lines: u64,
}

impl RecordSizes {
    pub(crate) fn of(parts: &Parts, record: &[u8]) -> Result<RecordSizes, LoadError> {
        let (start, end) = parts.body_range();
        let mut cursor = Cursor::new(record, start, end);
        cursor.leb("stack height")?;
        cursor.leb("ops")?;
        let code = cursor.index("code length")?;
        let counts_end = cursor.position();
        Pool::default().decode(&mut cursor, record)?;
        let constants_end = cursor.position();
        for _ in 0..cursor.count("names", limits::TABLE_ROWS)? {
            cursor.text("a name")?;
        }
        let names_end = cursor.position();
        Ok(RecordSizes {
            head: start as u64,
            constants: (constants_end - counts_end) as u64,
            names: (names_end - constants_end) as u64,
            tables: (counts_end - start + end - names_end - code) as u64,
            code: code as u64,
            lines: (record.len() - end) as u64,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::format::{Module, ModuleWriter};
    use std::io::Cursor;

    const TEXT: &str = ".meta k \"v\"\n.chunk a\n.line 1\nload_const \"x\"\nget_var v\n\
                        .chunk b\ncall_builtin 1 0\n";

    #[test]
    fn the_parts_add_up() {
        let mut writer = ModuleWriter::new(Cursor::new(Vec::new())).unwrap();
        let assembly = crate::asm::assemble(TEXT, "text").unwrap();
        assembly.write(&mut writer).unwrap();
        let bytes = writer.finish().unwrap().into_inner();
        let module = Module::from_bytes(bytes.clone()).unwrap();
        let sizes = module.sizes().unwrap();
        assert_eq!((sizes.header, sizes.other), (256, 0));
        let all = sizes.records + sizes.index + sizes.metadata + sizes.root;
        assert_eq!(sizes.header + all, bytes.len() as u64);
        for record in module.records().unwrap() {
            let chunk = record.unwrap().load().unwrap();
            let sizes = chunk.sizes();
            let body = sizes.constants + sizes.names + sizes.tables + sizes.code;
            let length = chunk.record().bytes().len() as u64;
            assert_eq!(sizes.head + body + sizes.lines, length);
        }
        let sizes = module.chunk("a").unwrap().sizes();
        assert_eq!((sizes.constants, sizes.names), (3, 3));
        assert_eq!((sizes.code, sizes.lines), (4, 1));
    }
}
