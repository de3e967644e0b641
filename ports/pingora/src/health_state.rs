//! Turns single probe results into "healthy" or "unhealthy": pure counting of results in a row. Asking the cell is left
//! to `health_checker.rs`.

use crate::resilience_settings::HealthSettings;

/// Each state counts what speaks against it; the other kind of result starts the count again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthState {
    Healthy { failures_in_a_row: u32 },
    Unhealthy { successes_in_a_row: u32 },
}

// #region rise-and-fall
/// A cell that was never probed counts as healthy: otherwise a router that just started, or a table that just arrived,
/// would refuse every request until the first probes are back.
pub const INITIAL_HEALTH: HealthState = HealthState::Healthy { failures_in_a_row: 0 };

const UNHEALTHY: HealthState = HealthState::Unhealthy { successes_in_a_row: 0 };

impl HealthState {
    pub fn kind(self) -> &'static str {
        match self {
            HealthState::Healthy { .. } => "healthy",
            HealthState::Unhealthy { .. } => "unhealthy",
        }
    }
}

/// The state after one more probe. One lost probe proves nothing, and neither does one response from a cell that is just
/// starting: `fall` failures in a row make a cell unhealthy, `rise` successes in a row healthy again.
pub fn next_health(state: HealthState, probe_succeeded: bool, settings: &HealthSettings) -> HealthState {
    match (state, probe_succeeded) {
        (HealthState::Healthy { .. }, true) => INITIAL_HEALTH,
        (HealthState::Healthy { failures_in_a_row }, false) if failures_in_a_row + 1 >= settings.fall => UNHEALTHY,
        (HealthState::Healthy { failures_in_a_row }, false) => {
            HealthState::Healthy { failures_in_a_row: failures_in_a_row + 1 }
        }
        (HealthState::Unhealthy { .. }, false) => UNHEALTHY,
        (HealthState::Unhealthy { successes_in_a_row }, true) if successes_in_a_row + 1 >= settings.rise => {
            INITIAL_HEALTH
        }
        (HealthState::Unhealthy { successes_in_a_row }, true) => {
            HealthState::Unhealthy { successes_in_a_row: successes_in_a_row + 1 }
        }
    }
}
// #endregion rise-and-fall

#[cfg(test)]
mod tests {
    use super::*;

    fn after(probes: &str, rise: u32, fall: u32) -> &'static str {
        let settings = HealthSettings { rise, fall, ..HealthSettings::default() };
        let count = |state, probe| next_health(state, probe == '+', &settings);
        probes.chars().fold(INITIAL_HEALTH, count).kind()
    }

    #[test]
    fn falls_after_failures_in_a_row_and_rises_after_successes_in_a_row() {
        let cases = [
            ("", "healthy"),
            ("--", "healthy"),
            ("---", "unhealthy"),
            ("--+--", "healthy"),
            ("--+---", "unhealthy"),
            ("---+", "unhealthy"),
            ("---+-+", "unhealthy"),
            ("---++", "healthy"),
            ("---++--", "healthy"),
        ];
        for (probes, expected) in cases {
            assert_eq!(after(probes, 2, 3), expected, "after {probes:?}");
        }
        assert_eq!(after("-", 1, 1), "unhealthy");
        assert_eq!(after("-+", 1, 1), "healthy");
    }
}
