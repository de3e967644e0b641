//! How long to wait before the next attempt: capped exponential backoff with full jitter.
//! It only computes: the caller counts the attempts, sleeps, and decides when to give up.

/// Both ceilings are in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BackoffSettings {
    /// Ceiling of the first delay.
    pub base_ms: f64,
    /// Ceiling of every delay; at least `base_ms`.
    pub cap_ms: f64,
}

// #region full-jitter
/// The delay before attempt `attempt + 1`, in milliseconds: uniform in [0, min(cap, base · 2^attempt)).
///
/// Full jitter draws from the whole range. Whatever failed for everyone at the same moment is then asked again at moments
/// spread over the range; a fixed delay would bring everyone back together and fail together again.
///
/// `attempt` counts the attempts in a row that have been waited for already; `random` returns a number in [0, 1).
/// See <https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>.
pub fn next_delay_ms(attempt: u32, random: &mut dyn FnMut() -> f64, settings: BackoffSettings) -> f64 {
    // 2^attempt may become infinite after a thousand attempts: `min` makes that the cap.
    let exponent = i32::try_from(attempt).unwrap_or(i32::MAX);
    let ceiling_ms = settings.cap_ms.min(settings.base_ms * 2f64.powi(exponent));
    random() * ceiling_ms
}
// #endregion full-jitter

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RECONNECT: BackoffSettings = BackoffSettings { base_ms: 1000.0, cap_ms: 60_000.0 };

    #[test]
    fn doubles_its_ceiling_up_to_the_cap() {
        let ceilings: Vec<f64> =
            [0, 1, 2, 3, 5, 6, 7, 5000, u32::MAX].map(|n| next_delay_ms(n, &mut || 1.0, RECONNECT)).to_vec();
        assert_eq!(ceilings, [1000.0, 2000.0, 4000.0, 8000.0, 32_000.0, 60_000.0, 60_000.0, 60_000.0, 60_000.0]);
    }

    proptest! {
        #[test]
        fn draws_from_the_whole_range(attempt in 0u32..2000, random in 0.0f64..1.0) {
            let delay = next_delay_ms(attempt, &mut || random, RECONNECT);
            let ceiling = 60_000f64.min(1000.0 * 2f64.powi(attempt as i32));
            prop_assert!((delay - random * ceiling).abs() < 1e-6);
        }
    }
}
