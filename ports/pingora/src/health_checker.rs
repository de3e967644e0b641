//! Probes every placement that has health settings, in a loop of its own and never in the request path: a request only reads
//! the last result. How a probe is sent is left to `health_probe.rs`, what results mean to `health_state.rs`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::clock;
use crate::endpoint::Endpoint;
use crate::health_probe::probe;
use crate::health_state::{HealthState, INITIAL_HEALTH, next_health};
use crate::logger::Logger;
use crate::resilience_settings::HealthSettings;
use crate::routing_table::RoutingTable;
use crate::tasks::spawn_restarting;

pub type HealthListener = Arc<dyn Fn(&str, HealthState, HealthState) + Send + Sync>;

struct Target {
    endpoint: Endpoint,
    settings: HealthSettings,
    state: Arc<Mutex<HealthState>>,
    task: JoinHandle<()>,
}

/// A probe's time is counted in steps of this length, in milliseconds.
const STEP_MS: f64 = 250.0;
/// A step that takes this much longer does not count: this process stood still, and has not read what came meanwhile.
const STANDSTILL_MS: f64 = 250.0;

// #region health-checker
pub struct HealthChecker {
    /// By placement, not by URL: two placements may share an endpoint and check it differently.
    targets: Mutex<HashMap<String, Target>>,
    logger: Logger,
    on_transition: HealthListener,
}

impl HealthChecker {
    pub fn new(logger: Logger, on_transition: HealthListener) -> Self {
        HealthChecker { targets: Mutex::default(), logger, on_transition }
    }

    /// The last known state; healthy for a placement that is new, unknown or not checked. One look-up in memory.
    pub fn is_healthy(&self, placement: &str) -> bool {
        let targets = self.targets.lock();
        targets.get(placement).is_none_or(|target| matches!(*target.state.lock(), HealthState::Healthy { .. }))
    }

    /// Follows a new table. An unchanged placement keeps its loop and its counts; one whose settings changed at the same URL
    /// keeps its state, since the push did not repair the cell; a new URL starts as healthy. Call it within the runtime.
    pub fn update(&self, table: &RoutingTable) {
        let mut targets = self.targets.lock();
        let mut gone = std::mem::take(&mut *targets);
        for placement in table.placements.values() {
            let Some(settings) = &placement.resilience.health else { continue };
            let known = gone.remove(&placement.name);
            let same = known.filter(|known| known.endpoint.url == placement.endpoint.url);
            let target = match same {
                Some(known) if known.settings == *settings => known,
                known => {
                    let state = known.map_or_else(
                        || Arc::new(Mutex::new(INITIAL_HEALTH)),
                        |known| {
                            known.task.abort();
                            known.state.clone()
                        },
                    );
                    self.launch(&placement.name, &placement.endpoint, settings, state)
                }
            };
            targets.insert(placement.name.clone(), target);
        }
        for target in gone.into_values() {
            target.task.abort();
        }
    }

    /// Stops all loops. The last results stay readable.
    pub fn close(&self) {
        for target in self.targets.lock().values() {
            target.task.abort();
        }
    }

    fn launch(
        &self,
        name: &str,
        endpoint: &Endpoint,
        settings: &HealthSettings,
        state: Arc<Mutex<HealthState>>,
    ) -> Target {
        let check = Check {
            name: name.to_owned(),
            endpoint: endpoint.clone(),
            settings: settings.clone(),
            state: state.clone(),
            on_transition: self.on_transition.clone(),
        };
        let check = Arc::new(check);
        let task = spawn_restarting("health-check", self.logger.clone(), move || check.clone().run());
        Target { endpoint: endpoint.clone(), settings: settings.clone(), state, task }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What one loop needs.
struct Check {
    name: String,
    endpoint: Endpoint,
    settings: HealthSettings,
    state: Arc<Mutex<HealthState>>,
    on_transition: HealthListener,
}

impl Check {
    async fn run(self: Arc<Self>) {
        let interval_ms = self.settings.interval_ms;
        // One push reaches the whole fleet at once: without this, so would the first probe reach the cell.
        sleep_ms(fastrand::f64() * interval_ms).await;
        loop {
            let succeeded = tokio::select! {
                succeeded = probe(&self.endpoint, &self.settings.path) => succeeded,
                () = run_for(self.settings.timeout_ms) => Some(false),
            };
            if let Some(succeeded) = succeeded {
                self.count(succeeded);
            }
            // ±10 %: loops that happen to run in step drift apart again.
            sleep_ms(interval_ms * (0.9 + 0.2 * fastrand::f64())).await;
        }
    }

    fn count(&self, succeeded: bool) {
        let (to, from) = {
            let mut state = self.state.lock();
            let from = *state;
            *state = next_health(from, succeeded, &self.settings);
            (*state, from)
        };
        if to.kind() != from.kind() {
            (self.on_transition)(&self.name, to, from);
        }
    }
}
// #endregion health-checker

/// Resolves once this process has run for `ms`: a cell is not to blame for a router that was paused.
async fn run_for(ms: f64) {
    let mut left_ms = ms;
    while left_ms > 0.0 {
        let step = left_ms.min(STEP_MS);
        let started_at_ms = clock::now_ms();
        sleep_ms(step).await;
        if clock::now_ms() - started_at_ms <= step + STANDSTILL_MS {
            left_ms -= step;
        }
    }
}

async fn sleep_ms(ms: f64) {
    sleep(Duration::from_secs_f64(ms.max(0.0) / 1000.0)).await;
}
