//! What the demo tells while it goes: numbered acts in two languages, and lines under them.

use crate::{CommandError, CommandResult};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

/// Tells; shared by the phones' threads.
#[derive(Debug)]
pub struct Progress {
    /// Standard output is for JSON.
    is_json: bool,
    started: Instant,
    acts: AtomicU32,
}

impl Progress {
    /// A teller; its clock starts now.
    pub fn new(is_json: bool) -> Self {
        Self { is_json, started: Instant::now(), acts: AtomicU32::new(0) }
    }

    /// Milliseconds since the beginning.
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn tell(&self, line: &str) {
        if self.is_json {
            eprintln!("{line}");
        } else {
            println!("{line}");
        }
    }

    /// A new act.
    pub fn act(&self, en: &str, zh: &str) {
        let number = 1 + self.acts.fetch_add(1, Ordering::SeqCst);
        self.tell(&format!("\n{number:>2}. {en} · {zh}"));
    }

    /// Something that happened in it.
    pub fn line(&self, text: impl AsRef<str>) {
        let ms = self.elapsed_ms();
        self.tell(&format!("    {:>3}.{:03} s  {}", ms / 1_000, ms % 1_000, text.as_ref()));
    }

    /// Text as it is.
    pub fn text(&self, text: &str) {
        self.tell(text);
    }
}

/// Something that the demo proves: told when it holds, the end of the demo when it does not.
///
/// # Errors
/// When it does not hold.
pub fn require(holds: bool, what: impl Into<String>) -> CommandResult {
    if holds { Ok(()) } else { Err(CommandError::new(format!("this does not hold: {}", what.into()))) }
}
