//! LEB128, the variable-length integers of code and records: seven bits a byte, least significant
//! first, the top bit set on all but the last. Signed numbers are zigzag-coded first. Only the
//! shortest form is accepted, so that equal numbers have equal bytes.

/// Why a number can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LebError {
    /// The bytes end inside the number.
    Short,
    /// The number doesn't fit 64 bits, or is not in its shortest form.
    Malformed,
}

/// Appends `value`.
pub fn write_unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends `value`, zigzag-coded: 0, -1, 1, -2 become 0, 1, 2, 3.
pub fn write_signed(out: &mut Vec<u8>, value: i64) {
    write_unsigned(out, zigzag(value));
}

/// Reads the number at `*at` and moves `*at` behind it.
#[inline(always)]
pub fn read_unsigned(input: &[u8], at: &mut usize) -> Result<u64, LebError> {
    match input.get(*at..) {
        Some(&[byte, ..]) if byte < 0x80 => {
            *at += 1;
            Ok(u64::from(byte))
        }
        Some(&[low, high, ..]) if (1..0x80).contains(&high) => {
            *at += 2;
            Ok(u64::from(low & 0x7f) | u64::from(high) << 7)
        }
        _ => read_long(input, at),
    }
}

/// Reads the zigzag-coded number at `*at` and moves `*at` behind it.
#[inline(always)]
pub fn read_signed(input: &[u8], at: &mut usize) -> Result<i64, LebError> {
    read_unsigned(input, at).map(unzigzag)
}

/// The number of bytes that [`write_unsigned`] appends for `value`.
pub fn unsigned_len(value: u64) -> usize {
    let bits = 64 - (value | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

fn read_long(input: &[u8], at: &mut usize) -> Result<u64, LebError> {
    let mut value = 0u64;
    for index in 0..10 {
        let byte = *input.get(*at + index).ok_or(LebError::Short)?;
        let bits = u64::from(byte & 0x7f);
        // The tenth byte holds the one bit that is left of 64.
        if index == 9 && bits > 1 {
            return Err(LebError::Malformed);
        }
        value |= bits << (7 * index);
        if byte < 0x80 {
            if byte == 0 && index > 0 {
                return Err(LebError::Malformed);
            }
            *at += index + 1;
            return Ok(value);
        }
    }
    Err(LebError::Malformed)
}

/// 0, -1, 1, -2 become 0, 1, 2, 3.
pub fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The inverse of [`zigzag`].
pub fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDGES: [i64; 12] = [
        0,
        1,
        -1,
        63,
        64,
        -64,
        -65,
        127,
        128,
        i32::MAX as i64,
        i64::MAX,
        i64::MIN,
    ];

    #[test]
    fn what_is_written_is_read() {
        for value in EDGES {
            let mut bytes = Vec::new();
            write_signed(&mut bytes, value);
            write_unsigned(&mut bytes, value as u64);
            let mut at = 0;
            assert_eq!(read_signed(&bytes, &mut at), Ok(value));
            assert_eq!(bytes.len() - at, unsigned_len(value as u64));
            assert_eq!(read_unsigned(&bytes, &mut at), Ok(value as u64));
            assert_eq!(at, bytes.len());
        }
    }

    #[test]
    fn only_the_shortest_form_is_read() {
        for (bytes, error) in [
            (&[][..], LebError::Short),
            (&[0x80], LebError::Short),
            (&[0x80, 0x00], LebError::Malformed),
            (&[0xff; 10], LebError::Malformed),
            (
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
                LebError::Malformed,
            ),
        ] {
            assert_eq!(read_unsigned(bytes, &mut 0), Err(error), "{bytes:x?}");
        }
    }
}
