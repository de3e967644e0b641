//! Watches an open link to a control plane for the two ways in which it can be of no use while nothing says so: nobody is at
//! the other end any more, or somebody is who has no table to push. Pure, as `link_liveness.rs` is.

use crate::link_liveness::{LinkLiveness, PING_EVERY_MS};

/// A snapshot follows each hello. This is how long its first bytes may take: a fleet may come at once.
const FIRST_BYTES_MS: f64 = 30_000.0;
/// More than the pongs of that time; a snapshot of any table is larger.
const MAX_IDLE_BYTES: u64 = 64;

pub struct LinkWatch {
    liveness: LinkLiveness,
    looked_at_ms: f64,
    waits_since_ms: f64,
    received_before: u64,
    received: u64,
}

impl LinkWatch {
    pub fn new(now_ms: f64, received: u64) -> Self {
        LinkWatch {
            liveness: LinkLiveness::new(now_ms),
            looked_at_ms: now_ms,
            waits_since_ms: now_ms,
            received_before: received,
            received,
        }
    }

    /// Looks every `PING_EVERY_MS`, told how many bytes have come so far: why the link is to be given up, if it is.
    pub fn useless(&mut self, now_ms: f64, received: u64) -> Option<&'static str> {
        if std::mem::replace(&mut self.received, received) != received {
            self.liveness.heard();
        }
        if self.liveness.is_dead(now_ms) {
            return Some("The control plane does not answer: the link is half-open");
        }
        // A process that itself stood still has not looked at its socket.
        if now_ms - self.looked_at_ms > PING_EVERY_MS * 1.5 {
            self.waits_since_ms = now_ms;
        }
        self.looked_at_ms = now_ms;
        // A control plane that lost its store may answer every ping, and hold a router that another one would serve.
        let is_silent = received - self.received_before <= MAX_IDLE_BYTES;
        (is_silent && now_ms - self.waits_since_ms >= FIRST_BYTES_MS).then_some("The control plane sends no table")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each look, every three seconds, finds a pong of two bytes more. When and why the link is given up.
    fn given_up(first_look: u32, table_bytes: u64) -> Option<(u32, &'static str)> {
        let mut watch = LinkWatch::new(0.0, 130);
        (first_look..first_look + 20).find_map(|look| {
            let received = 130 + table_bytes + 2 * u64::from(look - first_look);
            watch.useless(f64::from(look) * PING_EVERY_MS, received).map(|words| (look * 3, words))
        })
    }

    #[test]
    fn leaves_a_control_plane_that_only_answers_pings() {
        assert_eq!(given_up(0, 0), Some((30, "The control plane sends no table")));
    }

    #[test]
    fn stays_with_one_that_has_sent_a_table() {
        assert_eq!(given_up(0, 65), None);
    }

    #[test]
    fn a_process_that_stood_still_waits_anew() {
        assert_eq!(given_up(100, 0), Some((330, "The control plane sends no table")));
    }

    #[test]
    fn leaves_a_link_without_any_sign_of_life() {
        let mut watch = LinkWatch::new(0.0, 130);
        let looks = [0.0, 3_000.0, 6_000.0].map(|now| watch.useless(now, 130));
        assert_eq!(looks, [None, None, Some("The control plane does not answer: the link is half-open")]);
    }
}
