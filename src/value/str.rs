//! `Str`: the byte string behind a `Value`.
//!
//! Counted, copied on write. The bytes need not be UTF-8; `as_str` gives text in every case.

use super::meter::{self, Charge};
use once_cell::race::OnceBox;
use smallvec::SmallVec;
use std::borrow::{Borrow, Cow};
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use triomphe::Arc;

/// What a string costs beside its bytes: the counts, the buffer's own fields.
const OVERHEAD: usize = size_of::<StrBuf>() + 16;

/// A counted byte string.
///
/// Derefs to `str` (see [`Str::as_str`]) so that code that treats it as text compiles; length,
/// emptiness, order, equality and hash are those of the bytes.
#[derive(Clone)]
pub struct Str(Arc<StrBuf>);

/// Bytes that need no memory beside the buffer.
const INLINE: usize = 24;

/// Keys of fewer bytes are found by their hints. Looking for one costs less than what a unit of fuel pays, so
/// who finds a hint has nothing to pay.
pub(super) const SHORT_KEY: usize = 64;

/// The bytes of both, one behind the other, and how many there are; `None` if there is no room for them.
#[inline]
pub(super) fn both_in<const ROOM: usize>(a: &[u8], b: &[u8]) -> Option<([u8; ROOM], usize)> {
    let len = a.len() + b.len();
    let mut bytes = [0; ROOM];
    let (first, second) = bytes.get_mut(..len)?.split_at_mut(a.len());
    first.copy_from_slice(a);
    second.copy_from_slice(b);
    Some((bytes, len))
}

/// The hint of a string that no table had.
const NO_HINT: u32 = u32::MAX;

/// The bytes; a short string's are with the buffer's own fields, so that it is one piece of memory.
type Bytes = SmallVec<[u8; INLINE]>;

/// What the bytes take beside the buffer.
fn heap_bytes(bytes: &Bytes) -> usize {
    if bytes.spilled() { bytes.capacity() } else { 0 }
}

/// Made small, as short strings are what programs make most of: with its count it takes one line of the cache.
struct StrBuf {
    bytes: Bytes,
    /// The text to show where the bytes are no UTF-8, made when first asked for.
    lossy: OnceBox<Lossy>,
    /// The hash of the bytes in tables, once it was asked for; 0 until then.
    hash: AtomicU32,
    /// Where a table had this very string as a key when it was last looked for: a guess.
    hint: AtomicU32,
}

struct Lossy {
    text: Box<str>,
    _charge: Charge,
}

impl StrBuf {
    fn new(bytes: Bytes) -> StrBuf {
        meter::count((OVERHEAD + heap_bytes(&bytes)) as i64);
        StrBuf {
            bytes,
            lossy: OnceBox::new(),
            hash: AtomicU32::new(0),
            hint: AtomicU32::new(NO_HINT),
        }
    }
}

impl StrBuf {
    /// Forgets what was kept beside the bytes, which change.
    #[inline]
    fn forget(&mut self) {
        if self.lossy.get().is_some() {
            self.lossy = OnceBox::new();
        }
        *self.hash.get_mut() = 0;
        *self.hint.get_mut() = NO_HINT;
    }
}

impl Drop for StrBuf {
    #[inline]
    fn drop(&mut self) {
        meter::count(-((OVERHEAD + heap_bytes(&self.bytes)) as i64));
    }
}

impl Str {
    /// The bytes.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// Number of bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.bytes.len()
    }

    /// Whether there are no bytes.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.bytes.is_empty()
    }

    /// The bytes as text. Where they are no UTF-8 this is a lossy copy with U+FFFD in the place of
    /// what can't be read, kept beside the bytes so that it is made once.
    pub fn as_str(&self) -> &str {
        match std::str::from_utf8(&self.0.bytes) {
            Ok(text) => text,
            Err(_) => {
                let lossy = self.0.lossy.get_or_init(|| {
                    let text: Box<str> = String::from_utf8_lossy(&self.0.bytes).into();
                    let _charge = Charge::new(text.len());
                    Box::new(Lossy { text, _charge })
                });
                &lossy.text
            }
        }
    }

    /// The bytes as text, if they are UTF-8.
    pub fn to_utf8(&self) -> Option<&str> {
        std::str::from_utf8(&self.0.bytes).ok()
    }

    /// Appends `bytes`: in place if this is the only owner, else to a copy.
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        match Arc::get_mut(&mut self.0) {
            Some(buf) => {
                buf.forget();
                let before = heap_bytes(&buf.bytes);
                buf.bytes.extend_from_slice(bytes);
                meter::count(heap_bytes(&buf.bytes) as i64 - before as i64);
            }
            None => {
                *self = Str::joined(self.as_bytes(), bytes);
            }
        }
    }

    /// Appends `bytes` if this is the only owner and they fit the memory that is there; whether it did.
    #[inline]
    pub(crate) fn push_within(&mut self, bytes: &[u8]) -> bool {
        match Arc::get_mut(&mut self.0) {
            Some(buf) if bytes.len() <= buf.bytes.capacity() - buf.bytes.len() => {
                buf.forget();
                buf.bytes.extend_from_slice(bytes);
                true
            }
            _ => false,
        }
    }

    /// Where a buffer keeps things, as offsets from what a string points to.
    #[cfg(feature = "jit")]
    pub(crate) fn layout() -> crate::jit::abi::StrLayout {
        let layout = super::layout::BytesLayout::of::<INLINE>();
        let buffer = super::layout::behind_count(&Str::default().0);
        let bytes = buffer + std::mem::offset_of!(StrBuf, bytes) as i32;
        crate::jit::abi::StrLayout {
            count: 0,
            most_inline: INLINE as i32,
            inline_len: bytes + layout.inline,
            spilled_len: bytes + layout.spilled,
            items: bytes + layout.items,
            lossy: buffer + std::mem::offset_of!(StrBuf, lossy) as i32,
            hash: buffer + std::mem::offset_of!(StrBuf, hash) as i32,
            hint: buffer + std::mem::offset_of!(StrBuf, hint) as i32,
            no_hint: NO_HINT as i32,
        }
    }

    /// A string of the bytes of both.
    pub(super) fn joined(a: &[u8], b: &[u8]) -> Str {
        if let Some((bytes, len)) = both_in::<INLINE>(a, b) {
            return Str(Arc::new(StrBuf::new(Bytes::from_buf_and_len(bytes, len))));
        }
        let mut bytes = Bytes::with_capacity(a.len() + b.len());
        bytes.extend_from_slice(a);
        bytes.extend_from_slice(b);
        Str(Arc::new(StrBuf::new(bytes)))
    }

    /// The hash of the bytes that tables use, kept beside them.
    #[inline]
    pub(super) fn table_hash(&self) -> u32 {
        match self.0.hash.load(Ordering::Relaxed) {
            0 => {
                let hash = table_hash(self.as_bytes());
                self.0.hash.store(hash, Ordering::Relaxed);
                hash
            }
            hash => hash,
        }
    }

    /// The place in a table where the string was last found as a key, if it was.
    #[inline]
    pub(super) fn place_hint(&self) -> usize {
        self.0.hint.load(Ordering::Relaxed) as usize
    }

    /// Keeps the place for [`place_hint`](Str::place_hint), if the string is short.
    #[inline]
    pub(super) fn set_place_hint(&self, place: usize) {
        if self.len() < SHORT_KEY {
            let place = u32::try_from(place).unwrap_or(NO_HINT);
            self.0.hint.store(place, Ordering::Relaxed);
        }
    }

    /// Whether both are the same allocation.
    #[inline]
    pub fn ptr_eq(a: &Str, b: &Str) -> bool {
        Arc::ptr_eq(&a.0, &b.0)
    }
}

/// The hash of bytes that tables use: keyed anew in each process, so that nobody can choose keys
/// that collide.
#[inline]
pub(super) fn table_hash(bytes: &[u8]) -> u32 {
    static KEY: LazyLock<foldhash::quality::RandomState> =
        LazyLock::new(foldhash::quality::RandomState::default);
    KEY.hash_one(bytes) as u32
}

impl Default for Str {
    fn default() -> Str {
        Str::from(Vec::new())
    }
}

impl From<Vec<u8>> for Str {
    fn from(bytes: Vec<u8>) -> Str {
        if bytes.len() <= INLINE {
            return Str::from(bytes.as_slice());
        }
        Str(Arc::new(StrBuf::new(Bytes::from_vec(bytes))))
    }
}

impl From<String> for Str {
    fn from(text: String) -> Str {
        Str::from(text.into_bytes())
    }
}

impl From<&str> for Str {
    fn from(text: &str) -> Str {
        Str::from(text.as_bytes())
    }
}

impl From<&String> for Str {
    fn from(text: &String) -> Str {
        Str::from(text.as_str())
    }
}

impl From<&[u8]> for Str {
    fn from(bytes: &[u8]) -> Str {
        Str(Arc::new(StrBuf::new(Bytes::from_slice(bytes))))
    }
}

impl From<Cow<'_, [u8]>> for Str {
    fn from(bytes: Cow<'_, [u8]>) -> Str {
        match bytes {
            Cow::Borrowed(bytes) => Str::from(bytes),
            Cow::Owned(bytes) => Str::from(bytes),
        }
    }
}

impl From<Cow<'_, str>> for Str {
    fn from(text: Cow<'_, str>) -> Str {
        Str::from(text.into_owned())
    }
}

impl Deref for Str {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<[u8]> for Str {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Borrow<[u8]> for Str {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl PartialEq for Str {
    #[inline]
    fn eq(&self, other: &Str) -> bool {
        Str::ptr_eq(self, other) || self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Str {}

impl PartialEq<str> for Str {
    fn eq(&self, other: &str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialEq<&str> for Str {
    fn eq(&self, other: &&str) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl PartialOrd for Str {
    #[inline]
    fn partial_cmp(&self, other: &Str) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Str {
    #[inline]
    fn cmp(&self, other: &Str) -> core::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Str {
    /// The hash of the bytes as a slice, which `Borrow<[u8]>` asks for.
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Display for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Str {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_utf8() {
            Some(text) => write!(f, "{text:?}"),
            None => write!(f, "b\"{}\"", self.as_bytes().escape_ascii()),
        }
    }
}
