//! Which paths match a pattern: the walk through directories behind [`Host::glob`](super::Host::glob).
//!
//! The pattern is cut at slashes, each component is matched by [`Pattern`](super::pattern::Pattern),
//! and slashes are kept as written. A directory that can't be read because it is missing, not a
//! directory or not ours to read holds no match, as in every shell; any other error of the system is
//! reported, since a list with holes is a wrong answer.
//!
//! Entries come with their kind, so that no file is looked at for being listed. The walk keeps its own stack, never descends through a link under `**`, and ends by
//! [`TooLarge`](HostError::TooLarge) when it has looked at [`MAX_STEPS`] entries or must remember more
//! than [`MAX_PENDING_BYTES`] of paths, so that `*/../*/../*/..` is bounded though nothing matches it.

use std::collections::HashSet;

use rustix::io::Errno;

use super::HostError;
use super::directory::Entry;
use super::listings::Listings;
use super::pattern::{PATTERN_LIMIT, Pattern};
use super::unix::printable;

/// How many directory entries and paths one walk looks at.
const MAX_STEPS: usize = 1 << 24;

/// How many bytes of paths one walk remembers at a time.
const MAX_PENDING_BYTES: usize = 1 << 26;

/// The paths that match, sorted bytewise; see [`Host::glob`](super::Host::glob).
pub(super) fn glob(
    listings: &mut Listings,
    pattern: &[u8],
    recursive: bool,
    limit: usize,
) -> Result<Vec<Vec<u8>>, HostError> {
    let Some(plan) = Plan::read(pattern, recursive)? else {
        return Ok(Vec::new());
    };
    let mut walk = Walk {
        plan: &plan,
        limit,
        found: Vec::new(),
        pending: Vec::new(),
        pending_bytes: 0,
        seen: plan.has_many_ways().then(HashSet::new),
        steps: 0,
    };
    walk.postpone(Place {
        path: plan.root.clone(),
        next: 0,
        within_deep: false,
    })?;
    while let Some(place) = walk.pending.pop() {
        if walk.seen.is_none() {
            walk.pending_bytes -= place.cost();
        }
        walk.visit(place, listings)?;
    }
    walk.sort()?;
    Ok(walk.found)
}

/// A pattern, cut into components.
struct Plan {
    /// The slashes that an absolute pattern begins with.
    root: Vec<u8>,
    components: Vec<Component>,
}

struct Component {
    part: Part,
    /// The slashes behind it; none only behind the last.
    slashes: Vec<u8>,
}

enum Part {
    /// Stands for itself, and is not looked for in a directory.
    Literal(Vec<u8>),
    Pattern(Pattern),
    /// `**`: any number of directories. Two never stand side by side.
    Deep,
}

impl Plan {
    /// Cuts a pattern; `None` if no path can match it.
    fn read(pattern: &[u8], recursive: bool) -> Result<Option<Plan>, HostError> {
        if pattern.len() > PATTERN_LIMIT {
            return Err(HostError::TooLarge);
        }
        if pattern.is_empty() {
            return Ok(None);
        }
        let (root, mut rest) = split_slashes(pattern);
        let mut components: Vec<Component> = Vec::new();
        while !rest.is_empty() {
            let end = rest.iter().position(|&byte| byte == b'/');
            let (text, behind) = rest.split_at(end.unwrap_or(rest.len()));
            let (slashes, next) = split_slashes(behind);
            rest = next;
            let part = if recursive && text == b"**" {
                Part::Deep
            } else {
                Part::read(text, !slashes.is_empty())?
            };
            let slashes = slashes.to_vec();
            match (&part, components.last_mut()) {
                // No name holds a NUL byte.
                (Part::Literal(name), _) if name.contains(&0) => return Ok(None),
                (Part::Deep, Some(last)) if matches!(last.part, Part::Deep) => {
                    last.slashes = slashes;
                }
                _ => components.push(Component { part, slashes }),
            }
        }
        let root = root.to_vec();
        Ok(Some(Plan { root, components }))
    }

    /// Whether a path can be divided among the components in several ways, as with two `**`.
    fn has_many_ways(&self) -> bool {
        let is_deep = |component: &&Component| matches!(component.part, Part::Deep);
        self.components.iter().filter(is_deep).count() > 1
    }
}

impl Part {
    fn read(text: &[u8], slash_follows: bool) -> Result<Part, HostError> {
        let backslashes = text.iter().rev().take_while(|&&byte| byte == b'\\').count();
        // A backslash before a slash escapes it, and an escaped slash is a slash.
        let text = if slash_follows && backslashes % 2 == 1 {
            &text[..text.len() - 1]
        } else {
            text
        };
        let pattern = Pattern::new(text)?;
        Ok(match pattern.literal() {
            Some(name) => Part::Literal(name),
            None => Part::Pattern(pattern),
        })
    }
}

fn split_slashes(text: &[u8]) -> (&[u8], &[u8]) {
    let count = text.iter().take_while(|&&byte| byte == b'/').count();
    text.split_at(count)
}

/// A directory to look into, or a path to be completed.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Place {
    /// Empty (for the working directory), or ends with a slash.
    path: Vec<u8>,
    /// The component that comes next.
    next: usize,
    /// Whether `**` has led here, so that a `**` at the end has found this path already.
    within_deep: bool,
}

impl Place {
    fn cost(&self) -> usize {
        self.path.len() + size_of::<Place>()
    }
}

struct Walk<'p> {
    plan: &'p Plan,
    limit: usize,
    /// In no order, and the same path several times if it was found in several ways.
    found: Vec<Vec<u8>>,
    pending: Vec<Place>,
    /// What `pending` holds, or `seen` if there is one.
    pending_bytes: usize,
    /// Every place so far, where several ways can lead to one.
    seen: Option<HashSet<Place>>,
    steps: usize,
}

impl Walk<'_> {
    fn step(&mut self) -> Result<(), HostError> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(HostError::TooLarge);
        }
        Ok(())
    }

    fn postpone(&mut self, place: Place) -> Result<(), HostError> {
        self.step()?;
        if let Some(seen) = &mut self.seen
            && !seen.insert(place.clone())
        {
            return Ok(());
        }
        self.pending_bytes += place.cost();
        if self.pending_bytes > MAX_PENDING_BYTES {
            return Err(HostError::TooLarge);
        }
        self.pending.push(place);
        Ok(())
    }

    fn find(&mut self, path: Vec<u8>) -> Result<(), HostError> {
        self.found.push(path);
        // Some may be there twice, which are sorted out every now and then.
        if self.found.len() - self.limit.min(self.found.len()) > self.limit / 4 {
            self.sort()?;
        }
        Ok(())
    }

    /// Sorts what was found, keeps each once, and holds their number to the limit.
    fn sort(&mut self) -> Result<(), HostError> {
        self.found.sort_unstable();
        self.found.dedup();
        match self.found.len() > self.limit {
            true => Err(HostError::TooLarge),
            false => Ok(()),
        }
    }

    fn visit(&mut self, mut place: Place, listings: &mut Listings) -> Result<(), HostError> {
        let components = &self.plan.components;
        // Every place but the first stems from a pattern.
        let is_spelled_out = place.next == 0;
        while let Some(Component {
            part: Part::Literal(name),
            slashes,
        }) = components.get(place.next)
        {
            place.path.extend_from_slice(name);
            place.path.extend_from_slice(slashes);
            place.next += 1;
            place.within_deep = false;
        }
        let Some(component) = components.get(place.next) else {
            // Behind a slash only a directory exists.
            if rustix::fs::lstat(place.path.as_slice()).is_ok() {
                self.find(place.path)?;
            }
            return Ok(());
        };
        if matches!(component.part, Part::Deep) && !place.within_deep {
            self.begin_deep(&place, is_spelled_out)?;
        }
        // Under `**`, what follows is looked for in each directory, in the same reading of it.
        let behind_deep = match (&component.part, components.get(place.next + 1)) {
            (Part::Deep, Some(behind)) => match &behind.part {
                Part::Pattern(pattern) => Some((pattern, place.next + 1)),
                Part::Literal(_) | Part::Deep => {
                    self.postpone(Place {
                        path: place.path.clone(),
                        next: place.next + 1,
                        within_deep: false,
                    })?;
                    None
                }
            },
            _ => None,
        };
        let listed = listings.for_each_entry(&place.path, |entry| {
            self.step()?;
            match &component.part {
                Part::Deep => self.descend(&place, component, entry)?,
                Part::Pattern(pattern) => {
                    self.try_entry(&place.path, pattern, place.next, entry)?;
                }
                Part::Literal(_) => {}
            }
            match behind_deep {
                Some((pattern, next)) => self.try_entry(&place.path, pattern, next, entry),
                None => Ok(()),
            }
        });
        match listed {
            Ok(ended) => ended,
            Err(error) if holds_no_match(error) => Ok(()),
            Err(error) => {
                let directory = match &place.path[..] {
                    b"" => ".".to_owned(),
                    path => printable(path),
                };
                Err(HostError::Failed(format!(
                    "can't read {directory}: {error}"
                )))
            }
        }
    }

    /// A `**` at the end stands for no directory at all, too: then what is before it is found, with
    /// its slash only if it is spelled out, as else another way may find it without.
    fn begin_deep(&mut self, place: &Place, is_spelled_out: bool) -> Result<(), HostError> {
        let deep = &self.plan.components[place.next];
        let is_last = place.next + 1 == self.plan.components.len();
        if !is_last || place.path.is_empty() || rustix::fs::stat(place.path.as_slice()).is_err() {
            return Ok(());
        }
        let keeps_slash = is_spelled_out || !deep.slashes.is_empty();
        let slashes = place.path.iter().rev().take_while(|&&byte| byte == b'/');
        let dropped = if keeps_slash { 0 } else { slashes.count() };
        self.find(place.path[..place.path.len() - dropped].to_vec())
    }

    /// Takes an entry of a directory under `**`.
    fn descend(
        &mut self,
        place: &Place,
        deep: &Component,
        entry: &Entry<'_>,
    ) -> Result<(), HostError> {
        let name = entry.name;
        if name.starts_with(b".") {
            return Ok(());
        }
        let is_directory = entry.kind().is_dir();
        let is_last = place.next + 1 == self.plan.components.len();
        if is_last && (is_directory || deep.slashes.is_empty()) {
            self.find([&place.path, name, &deep.slashes].concat())?;
        }
        if is_directory {
            let slashes: &[u8] = if is_last { b"/" } else { &deep.slashes };
            self.postpone(Place {
                path: [&place.path, name, slashes].concat(),
                next: place.next,
                within_deep: true,
            })?;
        }
        Ok(())
    }

    /// Holds an entry of a directory against the component `index`.
    fn try_entry(
        &mut self,
        path: &[u8],
        pattern: &Pattern,
        index: usize,
        entry: &Entry<'_>,
    ) -> Result<(), HostError> {
        let name = entry.name;
        let is_hidden = name.starts_with(b".") && !pattern.begins_with(b'.');
        if is_hidden || !pattern.matches(name) {
            return Ok(());
        }
        let slashes = &self.plan.components[index].slashes;
        let path = [path, name, slashes].concat();
        if slashes.is_empty() {
            return self.find(path);
        }
        let kind = entry.kind();
        if !kind.is_dir() && !kind.is_symlink() {
            return Ok(());
        }
        self.postpone(Place {
            path,
            next: index + 1,
            within_deep: false,
        })
    }
}

/// Whether a directory that can't be opened for this reason is just one without matches.
fn holds_no_match(error: Errno) -> bool {
    matches!(
        error,
        Errno::NOENT
            | Errno::NOTDIR
            | Errno::ACCESS
            | Errno::PERM
            | Errno::LOOP
            | Errno::NAMETOOLONG
    )
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;

    fn glob(pattern: &[u8], recursive: bool, limit: usize) -> Result<Vec<Vec<u8>>, HostError> {
        super::glob(&mut Listings::new(), pattern, recursive, limit)
    }

    /// A tree of which bash 5.2 was asked; `d/e/up` and `x/link` are links to directories.
    fn tree() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for directory in ["d/e/f", ".h", "x"] {
            fs::create_dir_all(at(directory)).unwrap();
        }
        let files = [
            "d/a.c",
            "d/e/b.c",
            "d/e/f/c.c",
            ".h/z.c",
            "top.c",
            "[a",
            "d/.dot",
        ];
        for file in files {
            fs::write(at(file), "").unwrap();
        }
        symlink("../d", at("x/link")).unwrap();
        symlink("..", at("d/e/up")).unwrap();
        symlink("nowhere", at("dangling")).unwrap();
        root
    }

    /// What a pattern finds under `root`, which every path then begins with and is shown without.
    fn found(root: &Path, pattern: &str, recursive: bool) -> String {
        let root = format!("{}/", root.display());
        let paths = glob(format!("{root}{pattern}").as_bytes(), recursive, 1000).unwrap();
        let shown = paths.iter().map(|path| {
            let path = std::str::from_utf8(path).unwrap();
            path.strip_prefix(&root).unwrap()
        });
        shown.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn finds_what_bash_finds() {
        let rows = [
            ("*", "[a d dangling top.c x"),
            ("*.c", "top.c"),
            ("*/", "d/ x/"),
            ("*/*", "d/a.c d/e x/link"),
            ("*/*.c", "d/a.c"),
            ("x/*/*.c", "x/link/a.c"),
            ("*/e/*", "d/e/b.c d/e/f d/e/up"),
            ("*/e/", "d/e/"),
            ("d//*", "d//a.c d//e"),
            ("d/../t*", "d/../top.c"),
            ("d/*/..", "d/e/.."),
            ("d/*/.", "d/e/."),
            (".*", ".h"),
            ("\\.h*", ".h"),
            ("[.]h*", ""),
            (".h/*", ".h/z.c"),
            ("d/.*", "d/.dot"),
            ("*/.d*", "d/.dot"),
            ("[a*", "[a"),
            ("[!x]", "d"),
            ("[[:alpha:]]", "d x"),
            ("d**/", "d/"),
            ("dang*", "dangling"),
            ("*/\\a.c", "d/a.c"),
            ("\\d\\/a*", "d/a.c"),
            ("top.c/*", ""),
            ("none*", ""),
            ("none/*", ""),
            // Without a pattern: the path, if there is one.
            ("top.c", "top.c"),
            ("top.c/", ""),
            ("d/", "d/"),
            ("dangling", "dangling"),
            ("none", ""),
        ];
        let tree = tree();
        for (pattern, expected) in rows {
            assert_eq!(found(tree.path(), pattern, false), expected, "{pattern}");
        }
    }

    /// As bash with `globstar`, except that `**` passes no link at all.
    #[test]
    fn two_stars_are_any_number_of_directories() {
        let rows = [
            ("**/*.c", "d/a.c d/e/b.c d/e/f/c.c top.c"),
            ("d/**", "d/ d/a.c d/e d/e/b.c d/e/f d/e/f/c.c d/e/up"),
            ("d/**/", "d/ d/e/ d/e/f/"),
            ("d/**/**", "d/ d/a.c d/e d/e/b.c d/e/f d/e/f/c.c d/e/up"),
            ("**/e", "d/e"),
            ("**/e/*.c", "d/e/b.c"),
            ("**/f/", "d/e/f/"),
            ("d/**/e/**", "d/e d/e/b.c d/e/f d/e/f/c.c d/e/up"),
            ("**/d/**/*.c", "d/a.c d/e/b.c d/e/f/c.c"),
            ("**/.*", ".h d/.dot"),
            (".h/**", ".h/ .h/z.c"),
            ("*/e/**", "d/e d/e/b.c d/e/f d/e/f/c.c d/e/up"),
            ("*/e/**/", "d/e/ d/e/f/"),
            ("x/**", "x/ x/link"),
            ("x/link/**/*.c", "x/link/a.c x/link/e/b.c x/link/e/f/c.c"),
            ("**/none", ""),
            ("none/**", ""),
            ("top.c/**", ""),
        ];
        let tree = tree();
        for (pattern, expected) in rows {
            assert_eq!(found(tree.path(), pattern, true), expected, "{pattern}");
        }
        assert_eq!(found(tree.path(), "**/*.c", false), "d/a.c");
    }

    #[test]
    fn names_are_bytes() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(OsStr::from_bytes(b"\xff\xfe")), "").unwrap();
        let base = root.path().as_os_str().as_bytes();
        let paths = glob(&[base, b"/?\xfe"].concat(), false, 9).unwrap();
        assert_eq!(paths, [[base, b"/\xff\xfe"].concat()]);
    }

    #[test]
    fn paths_are_bounded() {
        let tree = tree();
        let pattern = format!("{}/*", tree.path().display());
        let pattern = pattern.as_bytes();
        assert_eq!(glob(pattern, false, 5).unwrap().len(), 5);
        assert_eq!(glob(pattern, false, 4), Err(HostError::TooLarge));
        assert_eq!(
            glob(&vec![b'*'; PATTERN_LIMIT + 1], false, 9),
            Err(HostError::TooLarge)
        );
    }

    #[test]
    fn what_can_name_no_path_finds_none() {
        assert_eq!(glob(b"", false, 9), Ok(vec![]));
        assert_eq!(glob(b"/\0", false, 9), Ok(vec![]));
        assert_eq!(glob(b"/\0/*", false, 9), Ok(vec![]));
        assert_eq!(glob(b"/", false, 9), Ok(vec![b"/".to_vec()]));
    }

    #[test]
    fn many_ways_to_one_path_are_walked_once() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("a/".repeat(30))).unwrap();
        let base = root.path().display();
        let pattern = format!("{base}/{}none", "**/a/".repeat(20));
        assert_eq!(glob(pattern.as_bytes(), true, 9), Ok(vec![]));
    }
}
