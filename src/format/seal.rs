//! Seals: CRC-32 over what one read fetches, which tells accidents.
//!
//! The fast way needs instructions that not every processor has. Whether this one has them is asked with an
//! instruction that a hypervisor answers, and answering takes it 60 µs for all that the library asks: as
//! long as tables take for some hundred KiB. So a process that loads a few functions never asks.

use crate::digest::Allowance;

/// The CRC-32 of zlib, by tables.
static TABLES: crc::Crc<u32, crc::Table<16>> =
    crc::Crc::<u32, crc::Table<16>>::new(&crc::CRC_32_ISO_HDLC);

/// How many bytes a process seals by tables.
const BY_TABLES: usize = 256 << 10;

/// How many it has.
static SEALED: Allowance = Allowance::new(BY_TABLES);

/// The seal of these bytes: the CRC-32 of zlib.
pub(crate) fn seal_of(bytes: &[u8]) -> u32 {
    match SEALED.spend(bytes.len()) {
        true => TABLES.checksum(bytes),
        false => crc32fast::hash(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_give_the_same() {
        let bytes: Vec<u8> = (0..4_000_u32).map(|n| ((n * n) >> 5) as u8).collect();
        assert_eq!(TABLES.checksum(b"123456789"), 0xcbf4_3926);
        for start in 0..40 {
            for end in (start..300).chain(3_900..4_000) {
                let part = &bytes[start..end];
                assert_eq!(
                    TABLES.checksum(part),
                    crc32fast::hash(part),
                    "{start}..{end}"
                );
            }
        }
    }

    #[test]
    fn a_process_that_seals_much_goes_the_fast_way() {
        let bytes = [7; 1_000];
        for _ in 0..2 * BY_TABLES / bytes.len() {
            assert_eq!(seal_of(&bytes), crc32fast::hash(&bytes));
        }
        assert!(SEALED.spent() > BY_TABLES - bytes.len());
    }
}
