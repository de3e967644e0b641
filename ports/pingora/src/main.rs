//! Starts the router: reads the settings, wires the parts, and stops cleanly on a signal. Holds no rule of its own.

mod access_log;
mod admin;
mod attempt;
mod attempts;
mod backoff;
mod cell_connection;
mod checksum;
mod circuit_breaker;
mod client_connection;
mod client_io;
mod client_state;
mod clock;
mod concurrency_limit;
mod control_plane_client;
mod control_plane_urls;
mod control_plane_wire;
mod endpoint;
mod engine_errors;
mod errors;
mod events;
mod exchange;
mod failover;
mod failure_window;
mod fallback_faults;
mod fence;
mod fenced;
mod file_source;
mod head_mender;
mod head_reader;
mod headers;
mod health_checker;
mod health_probe;
mod health_state;
mod json_document;
mod last_known_good;
mod link_liveness;
mod link_status;
mod link_watch;
mod logger;
mod metrics;
mod operator_routes;
mod overview;
mod parts;
mod path_watcher;
mod protocol;
mod proxy;
mod regular_file;
mod request_head;
mod resilience;
mod resilience_schema;
mod resilience_settings;
mod response;
mod retry_budget;
mod retry_policy;
mod routing;
mod routing_table;
mod server;
mod settings;
mod snapshot_receiver;
mod snapshot_source;
mod sources;
mod static_table;
mod stock_server;
mod table_decoder;
mod table_store;
mod tasks;
mod token_bucket;
mod upstreams;
mod validation;
mod wiring;

use std::process::ExitCode;
use std::time::Duration;

use settings::{Settings, read_settings};

/// How long the last lines of the log may take to be written.
const LOG_END: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    // Without this, a log file that may not grow any more ends the process. Rust itself sees to SIGPIPE.
    // SAFETY: nothing else in this process handles this signal, and nothing else runs yet.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
    let started = read_settings(&|name| std::env::var(name).ok()).and_then(|settings| start(&settings));
    match started {
        Ok(()) => ExitCode::SUCCESS,
        Err(words) => {
            eprintln!("{words}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the router to its end. The error is one sentence that says what to change.
fn start(settings: &Settings) -> Result<(), String> {
    let logger = logger::Logger::start(settings.log_level).map_err(|error| format!("Cannot start: {error}"))?;
    tasks::log_panics(logger.clone());
    let runtime = match settings.threads {
        1 => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        threads => tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
    };
    let runtime = runtime.map_err(|error| format!("Cannot start: {error}"))?;
    let result = runtime.block_on(wiring::run(settings, &logger));
    logger.close(LOG_END);
    // A read of a mount that hangs must not hold up the end.
    runtime.shutdown_background();
    result
}
