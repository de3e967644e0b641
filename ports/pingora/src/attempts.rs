//! The loop around attempts: who serves now, how it went, whether another attempt follows. The engine runs the loop and
//! calls back, so the loop stands here turned inside out: `next` says what to do, `head_arrived` and `failed` say what came
//! of it. It knows nothing of sockets; the rules stand in the modules that it calls.
//! choose target → attempt → record → maybe retry

use std::collections::HashMap;
use std::sync::Arc;

use crate::circuit_breaker::AttemptOutcome;
use crate::errors::{self, ErrorCode};
use crate::failover::{Refusal, RefusalReason, TargetChoice};
use crate::metrics::Metrics;
use crate::resilience::{Admission, Resilience};
use crate::retry_policy::{AttemptFailure, FailedAttempt, is_failure_status, may_retry};
use crate::routing_table::{Placement, RoutingTable};
use crate::table_store::Snapshot;

/// From a request's arrival: after this, no further attempt starts.
const RETRY_DEADLINE_MS: f64 = 10_000.0;

/// How an attempt failed before its response began.
#[derive(Debug, Clone)]
pub struct Failure {
    pub code: ErrorCode,
    /// Machine-readable cause for the log, such as `ECONNREFUSED`.
    pub cause: String,
    /// Some of the request may have reached the cell.
    pub sent: bool,
}

/// What to do next.
#[derive(Debug)]
pub enum Step {
    /// Send the request to this placement.
    Send(Arc<Placement>),
    /// Ask again after this many milliseconds.
    Wait(f64),
    /// Nobody takes the request. Isolation comes before availability, so nobody outside the chain is asked.
    Refuse { code: ErrorCode, retry_after_ms: Option<f64> },
    /// The last attempt has failed, and nothing more may be tried.
    GiveUp(Failure),
}

/// The attempts of one request, and what they leave for the response and the log.
pub struct Attempts {
    resilience: Arc<Resilience>,
    metrics: Arc<Metrics>,
    snapshot: Arc<Snapshot>,
    primary: Arc<Placement>,
    method: String,
    has_body: bool,
    started_at_ms: f64,
    random: fn() -> f64,
    /// Placements without a connection: nothing was sent, so the next of the chain may serve, whatever the method.
    unreachable: HashMap<String, Refusal>,
    failure: Option<Failure>,
    wait_ms: Option<f64>,
    /// A retry has been paid and waited for, and is yet to be made.
    is_retry_due: bool,
    current: Option<(Admission, bool)>,
    /// Who serves, once chosen: the placement routed to, or one that stands in.
    pub target: Arc<Placement>,
    /// Why the primary does not serve, when another one does.
    pub failover: Option<RefusalReason>,
    pub retries: u32,
}

pub struct AttemptedRequest {
    pub snapshot: Arc<Snapshot>,
    pub primary: Arc<Placement>,
    pub method: String,
    pub has_body: bool,
    pub started_at_ms: f64,
}

impl Attempts {
    /// `random` returns a number in [0, 1): it spreads the delays of retries.
    pub fn new(
        request: AttemptedRequest,
        resilience: Arc<Resilience>,
        metrics: Arc<Metrics>,
        random: fn() -> f64,
    ) -> Self {
        let AttemptedRequest { snapshot, primary, method, has_body, started_at_ms } = request;
        Attempts {
            resilience,
            metrics,
            snapshot,
            target: primary.clone(),
            primary,
            method,
            has_body,
            started_at_ms,
            random,
            unreachable: HashMap::new(),
            failure: None,
            wait_ms: None,
            is_retry_due: false,
            current: None,
            failover: None,
            retries: 0,
        }
    }

    pub fn method(&self) -> &str {
        &self.method
    }

    fn table(&self) -> &RoutingTable {
        &self.snapshot.table
    }

    // #region next
    /// Called for the first attempt, and again after each that failed, and after each wait.
    pub fn next(&mut self, now_ms: f64) -> Step {
        self.end_attempt();
        if let Some(wait_ms) = self.wait_ms.take() {
            self.is_retry_due = true;
            return Step::Wait(wait_ms);
        }
        let (choice, admission) = self.resilience.admit(self.table(), &self.primary, &self.unreachable, now_ms);
        match choice {
            TargetChoice::None { reason, retry_after_ms } => self.nobody(reason, retry_after_ms, now_ms),
            TargetChoice::Origin => self.send(self.primary.clone(), None, admission, now_ms),
            TargetChoice::Fallback { target, reason } => self.send(target, Some(reason), admission, now_ms),
        }
    }

    fn send(
        &mut self,
        target: Arc<Placement>,
        failover: Option<RefusalReason>,
        admission: Admission,
        now_ms: f64,
    ) -> Step {
        self.target = target.clone();
        self.failover = failover;
        self.current = Some((admission, false));
        // One request pays in once for each placement that it comes to; a retry pays for nothing.
        if std::mem::take(&mut self.is_retry_due) {
            self.retries += 1;
            self.metrics.retried(&target.name);
        } else if self.retries == 0 && target.resilience.retries.is_some() {
            self.resilience.guard(&target).budget.lock().deposit(now_ms);
        }
        Step::Send(target)
    }

    fn nobody(&mut self, reason: RefusalReason, retry_after_ms: Option<f64>, now_ms: f64) -> Step {
        let Some(failure) = self.failure.clone() else {
            // Nobody serves, whoever was asked before: the response is about the placement that was routed to.
            self.target = self.primary.clone();
            self.failover = None;
            return Step::Refuse { code: refusal_code(reason), retry_after_ms };
        };
        let primary = self.primary.clone();
        let failed_as = failure_kind(&failure);
        let delay_ms = match self.is_retry_due {
            true => None,
            false => self.may_retry(&primary, failed_as, failure.sent, false, now_ms),
        };
        let Some(delay_ms) = delay_ms else { return Step::GiveUp(failure) };
        self.unreachable.clear();
        self.is_retry_due = true;
        Step::Wait(delay_ms)
    }
    // #endregion next

    // #region record
    /// The head of a final response has come. False keeps it from the client: another attempt follows.
    pub fn head_arrived(&mut self, status: u16, is_answered: bool, now_ms: f64) -> bool {
        // Recorded with the head, not the end: a long stream must not keep a half-open breaker waiting.
        let failed = is_failure_status(status);
        self.record(if failed { AttemptOutcome::Failure } else { AttemptOutcome::Success }, now_ms);
        if failed {
            let target = self.target.clone();
            self.wait_ms = self.may_retry(&target, AttemptFailure::FailureStatus, true, is_answered, now_ms);
            if self.wait_ms.is_some() {
                self.failure = None;
            }
        }
        self.wait_ms.is_none()
    }

    /// The attempt failed before its response began. True: another one follows, so ask `next`.
    pub fn failed(&mut self, failure: Failure, is_answered: bool, now_ms: f64) -> bool {
        // What the client broke says nothing about the cell, nor does what this router could not do.
        if !failure.code.is_cell_fault() {
            return false;
        }
        self.record(AttemptOutcome::Failure, now_ms);
        if !failure.sent {
            // No connection came about: the chain is asked first, which costs this cell nothing.
            let refusal = Refusal { reason: RefusalReason::ConnectFailed, retry_after_ms: None };
            self.unreachable.insert(self.target.name.clone(), refusal);
            self.failure = Some(failure);
            return true;
        }
        let target = self.target.clone();
        self.wait_ms = self.may_retry(&target, failure_kind(&failure), true, is_answered, now_ms);
        if self.wait_ms.is_some() {
            self.failure = None;
        }
        self.wait_ms.is_some()
    }

    fn record(&mut self, outcome: AttemptOutcome, now_ms: f64) {
        let Some((admission, recorded)) = &mut self.current else { return };
        if !std::mem::replace(recorded, true) {
            admission.record(outcome, now_ms);
            self.metrics.attempt_ended(&self.target.name, outcome);
        }
    }

    /// Gives back what the present attempt holds. Without a recorded outcome it counts as abandoned.
    pub fn end_attempt(&mut self) {
        self.record(AttemptOutcome::Abandoned, 0.0);
        self.current = None;
    }
    // #endregion record

    fn may_retry(
        &self,
        target: &Placement,
        failure: AttemptFailure,
        sent: bool,
        is_answered: bool,
        now_ms: f64,
    ) -> Option<f64> {
        let failed = FailedAttempt {
            method: &self.method,
            has_body: self.has_body,
            failure,
            sent,
            response_started: is_answered,
            attempt: self.retries,
            elapsed_ms: now_ms - self.started_at_ms,
            deadline_ms: RETRY_DEADLINE_MS,
        };
        let withdraw = || self.resilience.guard(target).budget.lock().try_withdraw();
        may_retry(&failed, target.resilience.retries.as_ref(), withdraw, &mut { self.random }).ok()
    }
}

impl Drop for Attempts {
    fn drop(&mut self) {
        self.end_attempt();
    }
}

fn failure_kind(failure: &Failure) -> AttemptFailure {
    match failure {
        Failure { sent: false, .. } => AttemptFailure::ConnectFailed,
        Failure { code, .. } if *code == &errors::HEAD_TIMEOUT => AttemptFailure::TimedOut,
        _ => AttemptFailure::ConnectionBroken,
    }
}

fn refusal_code(reason: RefusalReason) -> ErrorCode {
    match reason {
        RefusalReason::Unhealthy => &errors::UNHEALTHY,
        RefusalReason::CircuitOpen => &errors::CIRCUIT_OPEN,
        RefusalReason::Overloaded => &errors::OVERLOADED,
        RefusalReason::ConnectFailed => &errors::UPSTREAM_UNREACHABLE,
    }
}

#[cfg(test)]
#[path = "attempts_tests.rs"]
mod tests;
