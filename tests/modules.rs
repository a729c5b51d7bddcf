//! Does a module give back what was written to it, from wherever its bytes come, and is writing
//! deterministic, canonical, and without traces when it fails?

mod sample;

use fusevm::chunk::{Import, ImportKind, Touches};
use fusevm::code::Code;
use fusevm::format::{
    CheckOptions, Entry, LoadedChunk, Module, ModuleWriter, OpenOptions, Strategy, chunk_hash,
};
use fusevm::{Chunk, Op, Value};
use std::io::{Cursor, Seek, SeekFrom, Write};
use std::path::Path;

/// That a chunk means the same as another, field by field; floats by their bits.
fn assert_same(a: &Chunk, b: &Chunk) {
    assert_eq!(format!("{:?}", a.ops), format!("{:?}", b.ops));
    assert_eq!(format!("{:?}", a.constants), format!("{:?}", b.constants));
    assert_eq!(a.names, b.names);
    assert_eq!(a.sub_entries, b.sub_entries);
    assert_eq!(a.block_ranges, b.block_ranges);
    assert_eq!(a.source, b.source);
    assert_eq!(a.op_hash, b.op_hash);
    assert_eq!(a.import_table(), b.import_table());
    for op in 0..a.ops.len() {
        assert_eq!(a.line(op), b.line(op));
    }
    for (name, _) in &a.sub_entries {
        assert_eq!(a.declared_argc(*name), b.declared_argc(*name));
    }
}

/// Writes the module again, from its chunks in their authoring form.
fn rewrite(module: &Module) -> Vec<u8> {
    let mut writer = ModuleWriter::new(Cursor::new(Vec::new())).unwrap();
    for (key, value) in module.metadata().unwrap() {
        writer.metadata(key, value);
    }
    for record in module.records().unwrap() {
        let chunk = record.unwrap().load().unwrap();
        let hash = writer.add(&chunk.entry(), &chunk.to_chunk()).unwrap();
        assert_eq!(hash, chunk.hash());
    }
    writer.finish().unwrap().into_inner()
}

fn assert_good(module: &Module) {
    let report = module.check(&CheckOptions::new().all(true));
    assert!(report.is_ok(), "{}", report.errors[0]);
    assert_eq!(report.chunks, module.chunk_count());
    assert_eq!(report.ops, module.op_count());
    assert_eq!(report.strict + report.loose.len() as u64, report.chunks);
}

#[test]
fn a_module_gives_back_what_was_written() {
    let chunks = sample::chunks();
    let bytes = sample::bytes();
    let module = Module::from_bytes(bytes.as_slice()).unwrap();
    assert_good(&module);
    assert!(rewrite(&module) == bytes);
    assert_eq!(module.metadata().unwrap()["any"], b"\0\xff");
    assert_eq!(module.file_length(), bytes.len() as u64);
    assert_eq!((module.generation(), module.segment_count()), (1, 1));
    assert_eq!(module.format_version(), (1, 0));

    let records = module.records().unwrap();
    assert_eq!(records.len(), 3);
    for (record, (entry, chunk)) in records.zip(&chunks) {
        let record = record.unwrap();
        assert_eq!(record.entry(), *entry);
        let loaded = module.find(&entry.space, &entry.name).unwrap().unwrap();
        assert_eq!(loaded.record().bytes(), record.bytes());
        assert_same(&loaded.to_chunk(), chunk);
        assert_same(&loaded.into_chunk(), chunk);
    }
}

#[test]
fn a_loaded_chunk_shows_its_parts() {
    let module = Module::from_bytes(sample::bytes()).unwrap();
    let chunk = module.chunk("rich").unwrap();
    let original = sample::rich_chunk();
    assert!(chunk.is_strict());
    assert_eq!(chunk.shape().unwrap().height(), 2);
    assert_eq!(chunk.ops(), original.ops);
    assert_eq!(chunk.constants(), original.constants);
    assert_eq!(chunk.names().collect::<Vec<_>>(), original.names);
    assert_eq!(chunk.name_at(1), Some("total"));
    assert_eq!(chunk.name_at(9), None);
    assert_eq!(chunk.subs()[0].argc, Some(1));
    assert_eq!(chunk.blocks(), original.block_ranges);
    assert_eq!(chunk.source(), "rich.zsh");
    assert_eq!(chunk.lines(), original.lines);
    assert_eq!(
        (chunk.line(0), chunk.line(8), chunk.line(99)),
        (Some(1), None, None)
    );
    let imports: Vec<_> = (0..chunk.imports().len())
        .map(|row| chunk.import_name(row).unwrap())
        .collect();
    assert_eq!(imports, [("", ""), ("host", "plus"), ("", "elsewhere")]);
    assert_eq!(chunk.import_name(3), None);

    let loose = module.chunk("loose").unwrap();
    assert!(!loose.is_strict() && loose.shape().is_none());
}

#[test]
fn a_module_of_bytes_may_have_a_name_for_messages() {
    let mut bytes = sample::bytes();
    let module = Module::from_named_bytes(bytes.clone(), "kept/lib.fvbc").unwrap();
    assert_eq!(module.path(), Some(Path::new("kept/lib.fvbc")));
    let shown = format!("{module:?}");
    assert!(
        shown.contains("lib.fvbc") && shown.contains("chunk_count: 3"),
        "{shown}"
    );
    let loaded = module.chunk("rich").unwrap();
    let (entry, chunk) = sample::chunks().swap_remove(0);
    assert_eq!(loaded.key(), entry.key);
    assert_eq!(loaded.link(), entry.link);
    assert_eq!(loaded.source(), chunk.source);
    assert_eq!(loaded.constant_count(), chunk.constants.len());
    bytes[300] ^= 1;
    let module = Module::from_named_bytes(bytes, "kept/lib.fvbc").unwrap();
    let error = module.chunk("rich").unwrap_err().to_string();
    assert!(error.contains("kept/lib.fvbc"), "{error}");
}

/// What a file that is full does to a writer: it says so, and goes on saying so.
#[test]
fn a_writer_whose_output_failed_writes_nothing_more() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self
                .0
                .checked_sub(bytes.len())
                .ok_or(std::io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    impl Seek for Full {
        fn seek(&mut self, _: SeekFrom) -> std::io::Result<u64> {
            Ok(0)
        }
    }
    let mut writer = ModuleWriter::new(Full(2_000)).unwrap();
    let add = |writer: &mut ModuleWriter<Full>, number: i64| {
        let entry = Entry::named(format!("f{number}"));
        writer.add(&entry, &sample::number_chunk(number))
    };
    let failed = (0..1_000).find_map(|number| add(&mut writer, number).err());
    assert_eq!(failed.expect("there is an end").code(), Code::CantWrite);
    let again = add(&mut writer, -1).unwrap_err();
    assert!(
        again.to_string().contains("an earlier write failed"),
        "{again}"
    );
    assert_eq!(
        writer.finish().map(drop).unwrap_err().code(),
        Code::CantWrite
    );
}

#[test]
fn who_wrote_a_module_fits_the_header() {
    let mut writer = ModuleWriter::new(Cursor::new(Vec::new())).unwrap();
    let too_long = writer.producer("x".repeat(49)).unwrap_err();
    assert_eq!(too_long.code(), Code::OverLimit);
    assert_eq!(
        writer.producer("a\0b").unwrap_err().code(),
        Code::BadStructure
    );
    writer.producer("x".repeat(48)).unwrap();
    writer.metadata("large", vec![0; 2 << 20]);
    assert_eq!(
        writer.finish().map(drop).unwrap_err().code(),
        Code::OverLimit
    );
}

#[test]
fn a_chunk_is_found_by_space_name_and_key() {
    let module = Module::from_bytes(sample::bytes()).unwrap();
    let space_of = |found: Option<LoadedChunk>| found.map(|chunk| chunk.space().to_owned());
    assert_eq!(
        space_of(module.find("", "rich").unwrap()).as_deref(),
        Some("")
    );
    assert_eq!(
        space_of(module.find("zsh", "rich").unwrap()).as_deref(),
        Some("zsh")
    );
    assert!(module.find("bash", "rich").unwrap().is_none());
    assert!(module.get("", "rich", b"\0key").unwrap().is_some());
    assert!(module.get("", "rich", b"another").unwrap().is_none());
    assert!(module.get("", "absent", b"\0key").unwrap().is_none());
}

#[test]
fn a_name_that_is_not_there_suggests_the_nearest() {
    let module = Module::from_bytes(sample::bytes()).unwrap();
    let error = module.chunk("losoe").unwrap_err();
    assert_eq!(error.code(), Code::NoSuchChunk);
    assert_eq!(error.help(), "did you mean \"loose\"?");
    let error = module.chunk("entirely else").unwrap_err();
    assert_eq!(error.help(), Code::NoSuchChunk.help());
}

#[test]
fn each_chunk_is_found_in_modules_of_any_size() {
    for count in [0, 1, 64, 65, 700, 5000] {
        let chunks: Vec<_> = (0..count)
            .map(|i| (Entry::named(format!("chunk {i}")), sample::number_chunk(i)))
            .collect();
        let bytes = sample::module_of(&chunks);
        let module = Module::from_bytes(bytes.as_slice()).unwrap();
        assert_good(&module);
        for i in 0..count {
            let chunk = module.chunk(&format!("chunk {i}")).unwrap();
            assert_eq!(chunk.ops(), [Op::LoadInt(i)]);
        }
        assert!(module.find("", "chunk -1").unwrap().is_none());
        let names = module
            .records()
            .unwrap()
            .map(|record| record.unwrap().name().to_owned());
        assert!(names.eq((0..count).map(|i| format!("chunk {i}"))));
        assert!(rewrite(&module) == bytes);
    }
}

#[test]
fn bytes_may_come_from_memory_a_file_or_a_place_within() {
    let bytes = sample::bytes();
    let folder = tempfile::tempdir().unwrap();
    for padding in [0, 1, 100_000] {
        let path = folder.path().join(format!("{padding}"));
        let mut content = vec![b'x'; padding];
        content.extend(&bytes);
        content.extend(vec![b'y'; padding]);
        std::fs::write(&path, &content).unwrap();
        for strategy in [Strategy::Auto, Strategy::Map, Strategy::Read] {
            let options = OpenOptions::new().strategy(strategy).offset(padding as u64);
            let module = Module::open_with(&path, &options).unwrap();
            assert_good(&module);
            assert!(rewrite(&module) == bytes);
            assert_eq!(module.path(), Some(path.as_path()));
        }
        let module = Module::open_at(&path, padding as u64).unwrap();
        assert_eq!(
            module.chunk("rich").unwrap().ops(),
            sample::rich_chunk().ops
        );
        assert!(Module::open_at(&path, padding as u64 + 1).is_err());
        assert!(Module::open_at(&path, u64::MAX).is_err());
    }
}

#[test]
fn a_module_is_shared_by_threads() {
    let module = Module::from_bytes(sample::bytes()).unwrap();
    let loads = (0..4).map(|_| {
        let module = module.clone();
        std::thread::spawn(move || module.chunk("rich").map(|chunk| chunk.hash()))
    });
    let hashes: Vec<_> = loads
        .map(|thread| thread.join().unwrap().unwrap())
        .collect();
    assert!(hashes.iter().all(|hash| *hash == hashes[0]));
}

#[test]
fn writing_is_deterministic_and_takes_loaded_chunks_as_they_are() {
    assert!(sample::bytes() == sample::bytes());
    let module = Module::from_bytes(sample::bytes()).unwrap();
    let mut writer = ModuleWriter::new(Cursor::new(Vec::new())).unwrap();
    writer.metadata("any", "replaced");
    writer.metadata("title", "sample");
    writer.metadata("any", *b"\0\xff");
    for record in module.records().unwrap() {
        writer.add_loaded(&record.unwrap().load().unwrap()).unwrap();
    }
    assert!(writer.finish().unwrap().into_inner() == sample::bytes());
}

#[test]
fn a_module_may_be_written_into_the_middle_of_something() {
    let mut out = Cursor::new(b"prefix".to_vec());
    out.seek(SeekFrom::End(0)).unwrap();
    let mut writer = ModuleWriter::new(out).unwrap();
    writer
        .add(&Entry::named("a"), &sample::number_chunk(1))
        .unwrap();
    let mut out = writer.finish().unwrap();
    out.write_all(b"suffix").unwrap();
    let bytes = out.into_inner();
    assert!(bytes.starts_with(b"prefix\x89FVBC") && bytes.ends_with(b"suffix"));
    assert_good(&Module::from_bytes(&bytes[6..]).unwrap());
}

#[test]
fn the_hash_of_a_chunk_is_of_what_it_means() {
    let module = Module::from_bytes(sample::bytes()).unwrap();
    let chunk = sample::rich_chunk();
    let hash = chunk_hash(&chunk).unwrap();
    assert_eq!(module.chunk("rich").unwrap().hash(), hash);
    assert_eq!(hash.to_string().len(), 64);

    let mut other = chunk.clone();
    other.lines.clear();
    other.source = "elsewhere".to_owned();
    assert_eq!(chunk_hash(&other).unwrap(), hash);

    let changes: [fn(&mut Chunk); 6] = [
        |c| c.ops[3] = Op::LoadInt(21),
        |c| c.constants[6] = Value::float(0.0),
        |c| c.names[1] = "sum".to_owned(),
        |c| c.imports[0].touches = Touches::GLOBALS,
        |c| c.signatures.clear(),
        |c| c.block_ranges.push((0, 0)),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut other = chunk.clone();
        change(&mut other);
        assert_ne!(chunk_hash(&other).unwrap(), hash, "change {index}");
    }
}

#[test]
fn what_cannot_be_written_is_refused_and_leaves_the_module_as_it_was() {
    let mut nest = Value::int(0);
    for _ in 0..65 {
        nest = Value::array(vec![nest]);
    }
    let with_constant = |value| Chunk {
        constants: vec![value],
        ..Chunk::default()
    };
    let many_names = Chunk {
        names: vec![String::new(); 65_537],
        ..Chunk::default()
    };
    let backward_block = Chunk {
        block_ranges: vec![(1, 0)],
        ..Chunk::default()
    };
    let large = Chunk {
        // A record's limit, and the head of the constant.
        constants: vec![Value::bytes(vec![0; 1 << 28])],
        ..Chunk::default()
    };
    let mut writer = ModuleWriter::new(Cursor::new(Vec::new())).unwrap();
    let number = sample::number_chunk(1);
    writer.add(&Entry::named("a"), &number).unwrap();
    for (entry, chunk, code) in [
        (Entry::named("a"), &number, Code::DuplicateChunk),
        (Entry::named("x".repeat(65_536)), &number, Code::OverLimit),
        (Entry::named("b"), &with_constant(nest), Code::OverLimit),
        (Entry::named("b"), &many_names, Code::OverLimit),
        (Entry::named("b"), &large, Code::OverLimit),
        (Entry::named("b"), &backward_block, Code::BadBlock),
    ] {
        let error = writer.add(&entry, chunk).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().starts_with(&format!("error[{code}]")));
    }
    writer
        .add(&Entry::named("a").in_space("b"), &number)
        .unwrap();
    let module = Module::from_bytes(writer.finish().unwrap().into_inner()).unwrap();
    assert_good(&module);
    assert_eq!(module.chunk_count(), 2);
}

#[test]
fn a_function_is_called_by_any_index_of_its_name() {
    let mut chunk = sample::number_chunk(1);
    chunk.names = ["f", "g", "f"].map(str::to_owned).to_vec();
    chunk.ops.extend([Op::Call(2, 1), Op::Call(0, 1)]);
    chunk.imports = ["g", "f", "nowhere"]
        .map(|name| Import {
            touches: Touches::ARGUMENTS,
            ..Import::undeclared(ImportKind::Function, 0, name)
        })
        .to_vec();
    let bytes = sample::module_of(&[(Entry::named("c"), chunk)]);
    let module = Module::from_bytes(bytes.as_slice()).unwrap();
    let loaded = module.chunk("c").unwrap();
    assert!(loaded.is_strict());
    let ids: Vec<u16> = loaded.imports().iter().map(|row| row.id).collect();
    assert_eq!(ids, [0, 1, 2]);
    assert!(rewrite(&module) == bytes);
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

#[test]
fn a_created_file_appears_when_it_is_finished_and_not_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lib.fvbc");
    std::fs::write(&path, "before").unwrap();

    let mut writer = ModuleWriter::create(&path).unwrap();
    writer
        .add(&Entry::named("a"), &sample::number_chunk(1))
        .unwrap();
    drop(writer);
    assert_eq!(names_in(folder.path()), ["lib.fvbc"]);
    assert_eq!(std::fs::read(&path).unwrap(), b"before");

    let mut writer = ModuleWriter::create(&path).unwrap();
    writer
        .add(&Entry::named("a"), &sample::number_chunk(1))
        .unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"before");
    writer.finish().unwrap();
    assert_eq!(names_in(folder.path()), ["lib.fvbc"]);
    assert_good(&Module::open(&path).unwrap());
}

#[cfg(unix)]
#[test]
fn a_created_file_has_ordinary_permissions_and_spares_what_is_no_file() {
    use std::os::unix::fs::{MetadataExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let ordinary = folder.path().join("ordinary");
    std::fs::File::create(&ordinary).unwrap();
    let real = folder.path().join("real.fvbc");
    let link = folder.path().join("link.fvbc");
    symlink("real.fvbc", &link).unwrap();
    std::fs::write(&real, "").unwrap();
    ModuleWriter::create(&link).unwrap().finish().unwrap();
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_good(&Module::open(&real).unwrap());
    let mode = |path: &Path| path.metadata().unwrap().mode();
    assert_eq!(mode(&real), mode(&ordinary));

    for path in [
        folder.path(),
        Path::new("/dev/null"),
        Path::new("/nowhere/at/all"),
    ] {
        let error = ModuleWriter::create(path).unwrap_err();
        assert_eq!(error.code(), Code::CantWrite);
    }
}
