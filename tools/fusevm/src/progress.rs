//! A progress bar for work that may take seconds. It is drawn on a terminal only, and only once the
//! work has lasted long enough to wonder.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// Work shorter than this draws nothing.
const PATIENCE: Duration = Duration::from_millis(300);

/// Redraws a second.
const REDRAWS: u8 = 10;

/// The progress of one piece of work; it disappears when it is dropped.
pub(crate) struct Progress {
    bar: ProgressBar,
    begun: Instant,
}

impl Progress {
    /// The progress of `what`, which will take `total` steps.
    pub(crate) fn new(what: &'static str, total: u64) -> Progress {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::hidden());
        // A template that doesn't parse leaves the default style, which is as good.
        if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent}%") {
            bar.set_style(style);
        }
        bar.set_message(what);
        Progress {
            bar,
            begun: Instant::now(),
        }
    }

    /// One more step is done.
    pub(crate) fn step(&self) {
        self.set(self.bar.position() + 1);
    }

    /// `done` steps are done.
    pub(crate) fn set(&self, done: u64) {
        if self.bar.is_hidden() && self.begun.elapsed() > PATIENCE {
            self.bar
                .set_draw_target(ProgressDrawTarget::stderr_with_hz(REDRAWS));
        }
        self.bar.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
