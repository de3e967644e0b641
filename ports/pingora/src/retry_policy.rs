//! Decides whether a failed attempt may be made again, and after which delay. Where the next attempt goes is decided by
//! `failover.rs`; what the attempts cost together is bounded by `retry_budget.rs`.

use crate::backoff::next_delay_ms;
use crate::resilience_settings::RetrySettings;

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptFailure {
    /// No connection came about, so nothing of the request can have reached the cell.
    ConnectFailed,
    /// The connection ended before the response's head was complete.
    ConnectionBroken,
    /// No response head within the time limit.
    TimedOut,
    /// The cell answered with one of `is_failure_status`.
    FailureStatus,
    /// The client left. Nobody waits for a response any more.
    ClientAborted,
}

/// All that the decision depends on.
#[derive(Debug, Clone, Copy)]
pub struct FailedAttempt<'a> {
    pub method: &'a str,
    pub has_body: bool,
    pub failure: AttemptFailure,
    /// A byte of the request may have reached the cell. When in doubt, true.
    pub sent: bool,
    /// A byte of a response, interim ones included, has gone to the client.
    pub response_started: bool,
    /// Retries made before this attempt: 0 when it was the first one.
    pub attempt: u32,
    /// Milliseconds since the request arrived.
    pub elapsed_ms: f64,
    /// Milliseconds from the request's arrival until no further attempt may start.
    pub deadline_ms: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryRefusal {
    NotConfigured,
    ClientAborted,
    ResponseStarted,
    NotRepeatable,
    RetriesUsedUp,
    Deadline,
    BudgetExhausted,
}

/// Whether the effect of a method is the same when the cell gets the request twice.
/// See <https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2>.
pub fn is_idempotent(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE")
}

/// Statuses by which a cell, or a proxy in front of it, says that it could not serve.
pub fn is_failure_status(status: u16) -> bool {
    matches!(status, 502..=504)
}

// #region may-retry
/// The delay after which to make a failed attempt again, or why not. The budget is asked last, and pays only for a retry
/// that will be made. `settings` are the placement's: `None` switches retries off.
pub fn may_retry(
    failed: &FailedAttempt<'_>,
    settings: Option<&RetrySettings>,
    try_withdraw: impl FnOnce() -> bool,
    random: &mut dyn FnMut() -> f64,
) -> Result<f64, RetryRefusal> {
    let settings = settings.ok_or(RetryRefusal::NotConfigured)?;
    if failed.failure == AttemptFailure::ClientAborted {
        return Err(RetryRefusal::ClientAborted);
    }
    // The client already holds the beginning of one response; a second one cannot be stitched to it.
    if failed.response_started {
        return Err(RetryRefusal::ResponseStarted);
    }
    if !is_repeatable(failed) {
        return Err(RetryRefusal::NotRepeatable);
    }
    if failed.attempt >= settings.max_retries {
        return Err(RetryRefusal::RetriesUsedUp);
    }
    let delay_ms = next_delay_ms(failed.attempt, random, settings.backoff);
    if failed.elapsed_ms + delay_ms >= failed.deadline_ms {
        return Err(RetryRefusal::Deadline);
    }
    if try_withdraw() { Ok(delay_ms) } else { Err(RetryRefusal::BudgetExhausted) }
}

/// A cell may have acted on all that was sent to it, whether it answered or not: a second POST may charge twice.
fn is_repeatable(failed: &FailedAttempt<'_>) -> bool {
    if failed.failure == AttemptFailure::ConnectFailed && !failed.sent {
        return true;
    }
    // A body is streamed and not kept: what was sent of it is gone.
    !failed.has_body && is_idempotent(failed.method)
}
// #endregion may-retry

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: FailedAttempt<'static> = FailedAttempt {
        method: "GET",
        has_body: false,
        failure: AttemptFailure::ConnectionBroken,
        sent: true,
        response_started: false,
        attempt: 0,
        elapsed_ms: 0.0,
        deadline_ms: 10_000.0,
    };

    fn decide(failed: FailedAttempt<'_>) -> Result<f64, RetryRefusal> {
        may_retry(&failed, Some(&RetrySettings::default()), || true, &mut || 0.5)
    }

    #[test]
    fn repeats_what_can_be_repeated() {
        assert_eq!(decide(FAILED), Ok(12.5));
        assert_eq!(decide(FailedAttempt { attempt: 1, ..FAILED }), Ok(25.0));
        for method in ["HEAD", "OPTIONS", "PUT", "DELETE"] {
            assert!(decide(FailedAttempt { method, ..FAILED }).is_ok(), "{method}");
        }
        let unsent = FailedAttempt { failure: AttemptFailure::ConnectFailed, sent: false, ..FAILED };
        assert!(decide(FailedAttempt { method: "POST", has_body: true, ..unsent }).is_ok());
    }

    #[test]
    fn says_why_not() {
        use RetryRefusal::*;
        let cases = [
            (FailedAttempt { method: "POST", ..FAILED }, NotRepeatable),
            (FailedAttempt { method: "PATCH", ..FAILED }, NotRepeatable),
            (FailedAttempt { method: "get", ..FAILED }, NotRepeatable),
            (FailedAttempt { method: "PUT", has_body: true, ..FAILED }, NotRepeatable),
            (FailedAttempt { failure: AttemptFailure::ClientAborted, ..FAILED }, ClientAborted),
            (FailedAttempt { response_started: true, ..FAILED }, ResponseStarted),
            (FailedAttempt { attempt: 2, ..FAILED }, RetriesUsedUp),
            (FailedAttempt { elapsed_ms: 9990.0, ..FAILED }, Deadline),
        ];
        for (failed, why) in cases {
            assert_eq!(decide(failed), Err(why), "{failed:?}");
        }
        assert_eq!(may_retry(&FAILED, None, || true, &mut || 0.5), Err(NotConfigured));
        let settings = RetrySettings::default();
        assert_eq!(may_retry(&FAILED, Some(&settings), || false, &mut || 0.5), Err(BudgetExhausted));
    }

    #[test]
    fn asks_the_budget_only_for_a_retry_that_will_be_made() {
        let settings = RetrySettings::default();
        let refused = FailedAttempt { response_started: true, ..FAILED };
        let never = || panic!("the budget was asked");
        assert!(may_retry(&refused, Some(&settings), never, &mut || 0.5).is_err());
    }
}
