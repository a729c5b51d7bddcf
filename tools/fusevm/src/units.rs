//! Sizes, counts and durations as people write them on a command line.

use parse_size::{ByteSuffix, Config};
use std::time::Duration;

/// A size in bytes: `4096`, `64k`, `512M`, `2G`; the suffixes are powers of 1,024.
pub(crate) fn size(text: &str) -> Result<u64, &'static str> {
    let config = Config::new().with_binary();
    let size = config.parse_size(text);
    size.map_err(|_| "a size is a number of bytes, such as 4096, 64k, 512M or 2G")
}

/// A count: `1000`, `10k`, `5M`, `2G`; the suffixes are powers of 1,000.
pub(crate) fn count(text: &str) -> Result<u64, &'static str> {
    let config = Config::new()
        .with_decimal()
        .with_byte_suffix(ByteSuffix::Deny);
    let count = config.parse_size(text);
    count.map_err(|_| "a count is a number, such as 1000, 10k or 5M")
}

/// A duration: `500ms`, `2s`, `1m 30s`; a bare number is in seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, &'static str> {
    if let Ok(seconds) = text.parse() {
        return Ok(Duration::from_secs(seconds));
    }
    humantime::parse_duration(text).map_err(|_| "a time has a unit, such as 500ms, 2s or 1m 30s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_binary_and_counts_decimal() {
        assert_eq!(size("4096"), Ok(4096));
        assert_eq!(size("64k"), Ok(64 << 10));
        assert_eq!(size("2G"), Ok(2 << 30));
        assert_eq!(count("10k"), Ok(10_000));
        assert_eq!(count("5M"), Ok(5_000_000));
    }

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2s"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("3"), Ok(Duration::from_secs(3)));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "-1", "x", "1Q", "99999999999999999999"] {
            assert!(size(text).is_err(), "{text}");
            assert!(count(text).is_err(), "{text}");
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
