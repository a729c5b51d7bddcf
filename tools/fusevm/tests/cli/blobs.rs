//! Do blobs of the 0.9 line become modules, and is everything else refused within bounds?

use super::Place;
use fusevm::{Chunk, ChunkBuilder, Op, Value};

fn chunk(text: &str) -> Chunk {
    let mut b = ChunkBuilder::new();
    let text = b.add_constant(Value::str(text));
    b.emit(Op::LoadConst(text), 1);
    b.emit(Op::PrintLn(1), 2);
    b.set_source("blob.sh");
    b.build()
}

fn list() -> Vec<u8> {
    let chunks = [("main", chunk("listed")), ("other", chunk("another"))];
    let chunks: Vec<(String, Chunk)> = chunks.map(|(n, c)| (n.to_owned(), c)).into();
    bincode::serialize(&chunks).unwrap()
}

#[test]
fn a_list_of_chunks_is_imported() {
    let place = Place::new().with("blob", list());
    place.ok(&["import", "blob", "-o", "m.fvbc"]);
    assert_eq!(place.ok(&["run", "m.fvbc"]), b"listed\n");
    assert_eq!(
        place.ok(&["run", "--entry", "other", "m.fvbc"]),
        b"another\n"
    );
    assert_eq!(
        place.ok(&["import", "blob", "-o", "-"]),
        place.read("m.fvbc")
    );
}

#[test]
fn a_lone_chunk_becomes_main() {
    let place = Place::new().with("blob", bincode::serialize(&chunk("alone")).unwrap());
    place.ok(&["import", "blob", "-o", "m.fvbc"]);
    assert_eq!(place.ok(&["run", "m.fvbc"]), b"alone\n");
    assert!(
        place
            .ok(&["dis", "m.fvbc"])
            .windows(7)
            .any(|bytes| bytes == b"blob.sh")
    );
    place.ok(&["import", "--strip", "blob", "-o", "m.fvbc"]);
    assert!(
        !place
            .ok(&["dis", "m.fvbc"])
            .windows(7)
            .any(|bytes| bytes == b"blob.sh")
    );
}

#[test]
fn the_empty_ones_are_told_apart() {
    let place = Place::new()
        .with(
            "list",
            bincode::serialize(&Vec::<(String, Chunk)>::new()).unwrap(),
        )
        .with("chunk", bincode::serialize(&Chunk::default()).unwrap());
    for (blob, lines) in [("list", 0), ("chunk", 1)] {
        place.ok(&["import", blob, "-o", "m.fvbc"]);
        let listed = place.ok(&["list", "m.fvbc"]);
        assert_eq!(
            listed.iter().filter(|byte| **byte == b'\n').count(),
            lines,
            "{blob}"
        );
    }
}

#[test]
fn a_blob_is_taken_whole_or_not_at_all() {
    let whole = list();
    let mut longer = whole.clone();
    longer.push(0);
    let place = Place::new().with("longer", &longer).with("out", "old");
    place
        .run(&["import", "longer", "-o", "out"])
        .assert_refused(126, "E0603");
    for length in 0..whole.len() {
        let place = Place::new().with("blob", &whole[..length]);
        let outcome = place.run(&["import", "blob", "-o", "out"]);
        outcome.assert_refused(126, "E0603");
        assert_eq!(place.names(), ["blob"], "{length}");
    }
    assert_eq!(place.read("out"), b"old");
}

#[test]
fn claims_of_a_blob_size_no_memory() {
    // A list of 2^62 chunks; a name of 2^40 bytes; a chunk of 2^50 ops.
    let huge_count = (1_u64 << 62).to_le_bytes().to_vec();
    let huge_name = [1_u64.to_le_bytes(), (1_u64 << 40).to_le_bytes()].concat();
    let huge_ops = [
        1_u64.to_le_bytes(),
        0_u64.to_le_bytes(),
        (1_u64 << 50).to_le_bytes(),
    ]
    .concat();
    for blob in [huge_count, huge_name, huge_ops] {
        let padded = [blob, vec![0xff; 4096]].concat();
        let place = Place::new().with("blob", padded);
        let outcome = place.run(&["import", "blob", "-o", "out"]);
        outcome.assert_refused(126, "E0603");
    }
}

#[test]
fn a_chunk_that_no_module_can_hold_is_refused() {
    let twice: Vec<(String, Chunk)> = vec![
        ("a".to_owned(), chunk("one")),
        ("a".to_owned(), chunk("two")),
    ];
    let place = Place::new().with("blob", bincode::serialize(&twice).unwrap());
    let outcome = place.run(&["import", "blob", "-o", "out"]);
    outcome.assert_refused(126, "E0117");
    assert_eq!(place.names(), ["blob"]);
}

#[test]
fn a_lone_chunk_that_begins_like_a_list_is_still_one() {
    // Of zeros alone: as a list it holds the same chunk again and again.
    let mut b = ChunkBuilder::new();
    for _ in 0..100 {
        b.emit(Op::Nop, 0);
    }
    let place = Place::new().with("blob", bincode::serialize(&b.build()).unwrap());
    place.ok(&["import", "blob", "-o", "m.fvbc"]);
    let listed = String::from_utf8(place.ok(&["list", "m.fvbc"])).unwrap();
    assert!(listed.contains(" 100 strict "), "{listed}");
}
