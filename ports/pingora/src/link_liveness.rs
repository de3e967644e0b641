//! Finds a half-open link: one whose other end is gone while its connection looks alive, because nothing on the way said
//! so. TCP alone would wait for many minutes. Pure: it is told the time and what has been heard; it sends and closes nothing.

/// Time between two pings, in milliseconds.
pub const PING_EVERY_MS: f64 = 3_000.0;
/// Time without any sign of life after which the link counts as dead. A dead link is found within 9 s.
const DEAD_AFTER_MS: f64 = 6_000.0;

// #region liveness
pub struct LinkLiveness {
    alive_at_ms: f64,
    looked_at_ms: f64,
    heard: bool,
}

impl LinkLiveness {
    pub fn new(now_ms: f64) -> Self {
        LinkLiveness { alive_at_ms: now_ms, looked_at_ms: now_ms, heard: false }
    }

    /// Something came from the other end. It answers each ping, so on a live link something does.
    pub fn heard(&mut self) {
        self.heard = true;
    }

    /// Looks every `PING_EVERY_MS`: whether the link is dead.
    pub fn is_dead(&mut self, now_ms: f64) -> bool {
        // A process that itself stood still has not looked at its sockets: it must not blame the other end.
        let overslept = now_ms - self.looked_at_ms > PING_EVERY_MS * 1.5;
        self.looked_at_ms = now_ms;
        if std::mem::take(&mut self.heard) || overslept {
            self.alive_at_ms = now_ms;
        }
        now_ms - self.alive_at_ms >= DEAD_AFTER_MS
    }
}
// #endregion liveness

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_silent_link_within_nine_seconds() {
        let mut link = LinkLiveness::new(0.0);
        link.heard();
        let looks: Vec<bool> = [3_000.0, 6_000.0, 9_000.0].map(|now| link.is_dead(now)).to_vec();
        assert_eq!(looks, [false, false, true]);
    }

    #[test]
    fn a_sign_of_life_starts_the_count_anew() {
        let mut link = LinkLiveness::new(0.0);
        for look in 1..20 {
            link.heard();
            assert!(!link.is_dead(f64::from(look) * 3_000.0));
        }
    }

    #[test]
    fn a_process_that_stood_still_blames_nobody() {
        let mut link = LinkLiveness::new(0.0);
        assert!(!link.is_dead(3_000.0));
        assert!(!link.is_dead(60_000.0));
        assert!(!link.is_dead(63_000.0));
        assert!(link.is_dead(66_000.0));
    }
}
