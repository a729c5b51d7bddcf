//! Damage: bytes that were a module until something changed them.

use fastrand::Rng;

/// Numbers that readers get wrong.
const EDGES: [u64; 10] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 40,
    u64::MAX,
];

/// Damages `bytes` in one to four ways.
pub fn mutate(bytes: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..rng.usize(1..=4) {
        once(bytes, rng);
    }
}

fn once(bytes: &mut Vec<u8>, rng: &mut Rng) {
    if bytes.is_empty() {
        bytes.push(rng.u8(..));
        return;
    }
    let at = place(bytes, rng);
    match rng.u8(0..9) {
        0 | 1 => bytes[at] ^= 1 << rng.u8(0..8),
        2 | 3 => bytes[at] = rng.u8(..),
        4 => overwrite(bytes, at, rng),
        5 => bytes.insert(at, rng.u8(..)),
        6 => drop(bytes.drain(at..end(bytes, at, rng))),
        7 => {
            let piece = bytes[at..end(bytes, at, rng)].to_vec();
            let to = rng.usize(0..=bytes.len());
            bytes.splice(to..to, piece);
        }
        _ => bytes.truncate(at),
    }
}

/// Anywhere, but in a third of the cases in the header, where a byte counts for more.
fn place(bytes: &[u8], rng: &mut Rng) -> usize {
    let reach = if rng.u8(0..3) == 0 {
        bytes.len().min(256)
    } else {
        bytes.len()
    };
    rng.usize(0..reach)
}

fn end(bytes: &[u8], at: usize, rng: &mut Rng) -> usize {
    (at + rng.usize(1..=32)).min(bytes.len())
}

fn overwrite(bytes: &mut [u8], at: usize, rng: &mut Rng) {
    let edge = EDGES[rng.usize(0..EDGES.len())].to_le_bytes();
    let width = [1, 2, 4, 8][rng.usize(0..4)].min(bytes.len() - at);
    bytes[at..at + width].copy_from_slice(&edge[..width]);
}
