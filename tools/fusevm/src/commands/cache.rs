//! `fusevm cache`: looks after the native code that outlives processes. Using it is `run`'s.

mod explain;
mod warm;

use crate::failure::{Failure, status};
use crate::output;
use crate::units;
use clap::Subcommand;
use fusevm::code::Code;
use fusevm::format::Module;
use fusevm::jit::cache::{self, CacheDirectory, CacheLimits, PackStatus, Removed, Unfit, Verified};
use serde::Serialize;
use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

/// Look after the cache of native code
///
/// Nothing about the cache can fail a program: whatever is damaged or missing is compiled again.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The cache's directory, in place of FUSEVM_CACHE_DIR, XDG_CACHE_HOME/fusevm or ~/.cache/fusevm
    #[arg(long = "cache", value_name = "DIR", global = true)]
    directory: Option<PathBuf>,
    /// What to do
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print where the cache is
    Path,
    /// Tell how much it holds
    Stats {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// List the packs, the longest unused last
    List {
        /// Print the list as JSON
        #[arg(long)]
        json: bool,
    },
    /// Compile all functions of a module ahead of any run; status 1 if some can't be written
    Warm {
        /// A .fvbc module, or assembly text
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Print what was done as JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell what a run of a module would take from the cache, and why not the rest
    ///
    /// Each chunk is looked at as one that is run itself. Functions that use globals are kept for each
    /// program that calls them.
    Explain {
        /// A .fvbc module, or assembly text
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Print the list as JSON
        #[arg(long)]
        json: bool,
    },
    /// Look at every byte of every pack; status 1 if some are damaged
    Verify {
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove what was longest unused until the cache is small enough
    Prune {
        /// How many bytes may stay, such as 64M
        #[arg(long, value_name = "SIZE", value_parser = units::size)]
        max_size: Option<u64>,
        /// How many packs may stay
        #[arg(long, value_name = "N")]
        max_packs: Option<usize>,
    },
    /// Remove everything
    Clear,
}

/// Does what is asked for.
///
/// # Errors
/// The directory isn't one that can be trusted with code, it can't be listed, or standard output
/// can't be written.
pub(crate) fn run(args: Args) -> Result<u8, Failure> {
    let place = Place(match args.directory {
        Some(directory) => directory,
        None => cache::default_directory().map_err(|unfit| refused("the cache", &unfit))?,
    });
    let shown = place.0.display().to_string();
    match &args.action {
        Action::Path => {
            output::print_text(&format!("{shown}\n"))?;
            return Ok(status::OK);
        }
        Action::Warm { file, json } => return warm::run(&place, file, *json),
        Action::Explain { file, json } => return explain::run(&place, file, *json),
        _ => {}
    }
    let opened = CacheDirectory::open(&place.0).map_err(|unfit| place.refused(&unfit))?;
    let unlisted =
        |error: io::Error| Failure::new(status::FAILED, Code::Unreadable, Some(&shown), error);
    let packs = opened
        .as_ref()
        .map_or_else(|| Ok(Vec::new()), CacheDirectory::packs);
    let packs = packs.map_err(unlisted)?;
    let limits = match args.action {
        Action::Path | Action::Warm { .. } | Action::Explain { .. } => return Ok(status::OK),
        Action::Stats { json } => return print_stats(&shown, &packs, json),
        Action::List { json } => return print_list(packs, json),
        Action::Verify { json } => return verify(opened.as_ref(), &packs, json),
        Action::Clear => CacheLimits { bytes: 0, packs: 0 },
        Action::Prune {
            max_size,
            max_packs,
        } => CacheLimits {
            bytes: max_size.unwrap_or(CacheLimits::default().bytes),
            packs: max_packs.unwrap_or(CacheLimits::default().packs),
        },
    };
    let removed = opened.map_or(Ok(Removed::default()), |cache| cache.prune(limits));
    let Removed { packs, bytes } = removed.map_err(unlisted)?;
    output::print_text(&format!(
        "removed {}, {bytes} bytes\n",
        output::counted(packs as u64, "pack")
    ))?;
    Ok(status::OK)
}

/// Where the cache is.
struct Place(PathBuf);

impl Place {
    /// An engine that uses the cache, and knows the functions of a module.
    fn engine(&self, module: &Module) -> fusevm::Engine {
        let engine = fusevm::Engine::builder().native_cache(&self.0).build();
        engine.load(module.clone());
        engine
    }

    fn refused(&self, unfit: &Unfit) -> Failure {
        refused(&self.0.display().to_string(), unfit)
    }
}

fn refused(place: &str, unfit: &Unfit) -> Failure {
    Failure::new(status::FAILED, Code::UnfitCache, Some(&place), unfit)
}

/// What the cache holds, in numbers.
#[derive(Serialize)]
struct Stats<'a> {
    path: &'a str,
    packs: usize,
    bytes: u64,
    max_bytes: u64,
    max_packs: usize,
}

fn print_stats(path: &str, packs: &[PackStatus], json: bool) -> Result<u8, Failure> {
    let limits = CacheLimits::default();
    let stats = Stats {
        path,
        packs: packs.len(),
        bytes: packs.iter().map(|pack| pack.bytes).sum(),
        max_bytes: limits.bytes,
        max_packs: limits.packs,
    };
    if json {
        output::print_json(&stats)?;
    } else {
        let Stats {
            packs,
            bytes,
            max_bytes,
            max_packs,
            ..
        } = stats;
        output::print_text(&format!(
            "path    {}\npacks   {packs} of {max_packs}\nbytes   {bytes} of {max_bytes}\n",
            output::shown(path)
        ))?;
    }
    Ok(status::OK)
}

/// A pack of the list.
#[derive(Serialize)]
struct Row {
    maker: String,
    name: String,
    bytes: u64,
    /// Since when it is unused, in seconds since 1970.
    used: u64,
}

fn print_list(mut packs: Vec<PackStatus>, json: bool) -> Result<u8, Failure> {
    packs.sort_by_key(|pack| std::cmp::Reverse(pack.used));
    let now = SystemTime::now();
    if json {
        let rows: Vec<Row> = packs.into_iter().map(Row::of).collect();
        output::print_json(&rows)?;
        return Ok(status::OK);
    }
    let line = |pack: &PackStatus| {
        let unused = now.duration_since(pack.used).unwrap_or_default();
        let days = unused.as_secs() / (24 * 60 * 60);
        format!(
            "{:>10} {days:>4}d {}/{}\n",
            pack.bytes, pack.maker, pack.name
        )
    };
    output::print_text(&packs.iter().map(line).collect::<String>())?;
    Ok(status::OK)
}

impl Row {
    fn of(pack: PackStatus) -> Row {
        let used = pack.used.duration_since(SystemTime::UNIX_EPOCH);
        Row {
            maker: pack.maker,
            name: pack.name,
            bytes: pack.bytes,
            used: used.map_or(0, |used| used.as_secs()),
        }
    }
}

/// What `verify` found in all packs together.
#[derive(Default, Serialize)]
struct Verdict {
    packs: usize,
    intact: usize,
    damaged: usize,
    /// Packs that can't be used at all, and why.
    refused: Vec<Refused>,
}

#[derive(Serialize)]
struct Refused {
    pack: String,
    why: &'static str,
}

fn verify(cache: Option<&CacheDirectory>, packs: &[PackStatus], json: bool) -> Result<u8, Failure> {
    let mut verdict = Verdict {
        packs: packs.len(),
        ..Verdict::default()
    };
    for (pack, cache) in packs.iter().zip(std::iter::repeat(cache).flatten()) {
        match cache.verify(pack) {
            Ok(Verified { intact, damaged }) => {
                verdict.intact += intact;
                verdict.damaged += damaged;
            }
            Err(why) => verdict.refused.push(Refused {
                pack: format!("{}/{}", pack.maker, pack.name),
                why: why.name(),
            }),
        }
    }
    let sound = verdict.damaged == 0 && verdict.refused.is_empty();
    if json {
        output::print_json(&verdict)?;
    } else {
        let Verdict {
            packs,
            intact,
            damaged,
            refused,
        } = &verdict;
        let mut text = format!("{packs} packs: {intact} functions intact, {damaged} damaged\n");
        for Refused { pack, why } in refused {
            text += &format!("{pack}: {why}\n");
        }
        output::print_text(&text)?;
    }
    Ok(if sound {
        status::OK
    } else {
        status::CHECK_FAILED
    })
}
