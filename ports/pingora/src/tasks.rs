//! Background tasks that outlive their own faults: one that panics is told in the log and begun again.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::logger::{Level, Logger};

const RESTART_AFTER: Duration = Duration::from_secs(1);

// #region restarting
/// Runs what `make` makes, and makes it again when it has panicked, until it ends or the handle is aborted.
pub fn spawn_restarting<F>(
    name: &'static str,
    logger: Logger,
    mut make: impl FnMut() -> F + Send + 'static,
) -> JoinHandle<()>
where
    F: Future<Output = ()> + Send,
{
    tokio::spawn(async move {
        while let Err(fault) = AssertUnwindSafe(make()).catch_unwind().await {
            logger.log(Level::Error, &json!({ "event": "task-failed", "task": name, "cause": words_of(&*fault) }));
            tokio::time::sleep(RESTART_AFTER).await;
        }
    })
}
// #endregion restarting

/// Resolves when the router has been told to stop.
pub async fn until_stopped(stopping: &watch::Receiver<bool>) {
    let mut stopping = stopping.clone();
    // An error means that whoever could tell is gone, and so is the router.
    let _ = stopping.wait_for(|stop| *stop).await.map(drop);
}

/// A panic is a line of the log, like everything else that happens here.
pub fn log_panics(logger: Logger) {
    std::panic::set_hook(Box::new(move |info| {
        let at = info.location().map(|location| format!("{}:{}", location.file(), location.line()));
        let cause = words_of(info.payload());
        logger.log(Level::Error, &json!({ "event": "panic", "at": at, "cause": cause }));
    }));
}

/// What a panic said.
pub fn words_of(fault: &(dyn std::any::Any + Send)) -> String {
    let text = fault.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| fault.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".into())
}
