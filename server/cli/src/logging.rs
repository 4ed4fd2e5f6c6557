//! Where log lines go: standard error, as text or JSON, filtered by `CALLOUT_LOG` (such as `info,callout_server=debug`).

use tracing_subscriber::EnvFilter;

/// The environment variable that filters log lines.
pub const LOG_VARIABLE: &str = "CALLOUT_LOG";

/// Begins logging, once in the life of the process; `default` holds where [`LOG_VARIABLE`] is absent.
pub fn start(is_json: bool, default: &str) {
    let filter = EnvFilter::try_from_env(LOG_VARIABLE).unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second call (the demo inside a test) leaves the first one in force.
    let _ = if is_json { builder.json().try_init() } else { builder.try_init() };
}
