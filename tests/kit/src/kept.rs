//! What the tests of the cache of native code share: a sub that is worth keeping, what can become of a
//! pack, and how often they try.

use std::fs;
use std::path::{Path, PathBuf};

/// A sub that calls itself: the Fibonacci number of its argument.
pub const FIB: &str = "
.sub fib args 1
    set_slot n
    get_slot n
    load_int 2
    num_lt
    jump_if_false recurse
    get_slot n
    return_value
recurse:
    get_slot n
    dec
    call fib 1
    get_slot n
    load_int 2
    sub
    call fib 1
    add
    return_value
.end
";

/// How often something long is done: as often as `CACHE_ROUNDS` says, `all` times if it says `all`, else
/// `few` times.
///
/// # Panics
/// If it says something else.
pub fn rounds(few: usize, all: usize) -> usize {
    match std::env::var("CACHE_ROUNDS").as_deref() {
        Ok("all") => all,
        Ok(rounds) => rounds.parse().expect("CACHE_ROUNDS is a number or `all`"),
        Err(_) => few,
    }
}

/// The files of all directories in a folder whose paths contain a part, sorted: `.pack` finds the packs
/// of a cache.
pub fn files(folder: &Path, part: &str) -> Vec<PathBuf> {
    let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries(folder)
        .flat_map(|maker| entries(&maker.path()).collect::<Vec<_>>())
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().contains(part))
        .collect();
    found.sort();
    found
}

/// What can become of a pack's bytes, each with its number: a flipped bit; an end that is cut off; and an
/// end of zeros, as a file has that wasn't synchronized when the machine stopped. Of all cases `rounds`,
/// evenly spread; those that change nothing are left out.
pub fn damages(whole: &[u8], few: usize) -> impl Iterator<Item = (usize, Vec<u8>)> + '_ {
    let cases = whole.len() * 10;
    let step = (cases / rounds(few, cases).max(1)).max(1);
    let damaged = (0..cases)
        .step_by(step)
        .map(move |case| (case, damage(whole, case)));
    damaged.filter(move |(_, damaged)| damaged != whole)
}

fn damage(whole: &[u8], case: usize) -> Vec<u8> {
    let (bits, bytes) = (whole.len() * 8, whole.len());
    let mut damaged = whole.to_vec();
    match case {
        bit if bit < bits => damaged[bit / 8] ^= 1 << (bit % 8),
        cut if cut < bits + bytes => damaged.truncate(cut - bits),
        zeros => damaged[zeros - bits - bytes..].fill(0),
    }
    damaged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_damage_is_one() {
        let whole = [1, 2, 3];
        let damages: Vec<_> = (0..30).map(|case| damage(&whole, case)).collect();
        assert_eq!(damages[0], [0, 2, 3]);
        assert_eq!(damages[23], [1, 2, 131]);
        assert!(damages[24].is_empty());
        assert_eq!(damages[26], [1, 2]);
        assert_eq!(damages[27], [0, 0, 0]);
        assert_eq!(damages[29], [1, 2, 0]);
        assert!(damages.iter().all(|damaged| *damaged != whole));
    }
}
