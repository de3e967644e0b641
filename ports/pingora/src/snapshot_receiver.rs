//! The router's end of the protocol without the wire: messages in, replies out, and a table applied where it is due. Owns what
//! the router holds. It knows no sockets, files or timers.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use crate::protocol::{Kind, PROTOCOL_VERSION, Position, RouterMessage, Verdict, decide, decode, nack_of};
use crate::routing_table::{RoutingTable, Rules};
use crate::table_decoder::decode_table_offloaded;

/// One link from open to close: the epochs that it has moved on from.
#[derive(Default)]
pub struct Link {
    superseded: HashSet<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyOutcome {
    Applied,
    Ignored,
    Refused,
    Current,
}

#[derive(Debug)]
pub struct Reply {
    /// Goes back over the link.
    pub message: RouterMessage,
    pub outcome: ReplyOutcome,
    /// The router holds what the control plane says is the newest.
    pub up_to_date: bool,
    /// What happened, for the log.
    pub words: String,
}

/// Makes a table current. Done before the acknowledgement goes out, so that an `ack` is never a promise.
#[async_trait]
pub trait Apply: Send + Sync {
    async fn apply(&self, table: Arc<RoutingTable>, position: &Position);
}

pub struct SnapshotReceiver {
    rules: Rules,
    held: Mutex<Option<Position>>,
}

impl SnapshotReceiver {
    pub fn new(rules: Rules) -> Self {
        SnapshotReceiver { rules, held: Mutex::new(None) }
    }

    pub fn hello(&self, router_id: &str) -> RouterMessage {
        let have = self.held.lock().clone();
        RouterMessage::Hello { protocol: PROTOCOL_VERSION, router_id: router_id.to_owned(), have }
    }

    // #region receive
    /// Takes one message. Call it again only when it has resolved: the order of the messages is their meaning. The error says
    /// why this is no message of the protocol: nothing that follows on this link can be trusted.
    pub async fn receive(&self, bytes: &Bytes, link: &mut Link, target: &dyn Apply) -> Result<Reply, String> {
        let (kind, offered, table_json) = decode(bytes)?;
        match kind {
            Kind::Snapshot => Ok(self.on_snapshot(offered, table_json, link, target).await),
            Kind::Current => self.on_current(&offered),
        }
    }

    async fn on_snapshot(&self, offered: Position, table_json: &[u8], link: &mut Link, target: &dyn Apply) -> Reply {
        let held = self.held.lock().clone();
        let mut verdict = decide(held.as_ref(), &offered, &link.superseded, None);
        if matches!(verdict, Verdict::Validate) {
            let validated = decode_table_offloaded(table_json.into(), self.rules).await;
            verdict = decide(held.as_ref(), &offered, &link.superseded, Some(validated));
        }
        let revision = offered.revision;
        match verdict {
            Verdict::Apply(decoded) => {
                target.apply(decoded.table, &offered).await;
                link.superseded.extend(held.map(|held| held.epoch).filter(|epoch| *epoch != offered.epoch));
                *self.held.lock() = Some(offered.clone());
                acknowledgement(&offered, ReplyOutcome::Applied, true, format!("revision {revision}"))
            }
            // Says what the router holds and not what came: the control plane learns the truth from late messages, too.
            Verdict::Ignore(why) => {
                let words = format!("revision {revision}: {why}");
                acknowledgement(held.as_ref().unwrap_or(&offered), ReplyOutcome::Ignored, why == "same", words)
            }
            Verdict::Nack(reasons) => Reply {
                message: nack_of(&offered, &reasons),
                outcome: ReplyOutcome::Refused,
                up_to_date: false,
                words: format!("revision {revision}: {}", reasons[..reasons.len().min(3)].join("; ")),
            },
            Verdict::Validate => unreachable!("what was validated is not validated again"),
        }
    }
    // #endregion receive

    fn on_current(&self, offered: &Position) -> Result<Reply, String> {
        let revision = offered.revision;
        if self.held.lock().as_ref() != Some(offered) {
            return Err(format!("\"current\" names revision {revision}, which this router has not"));
        }
        Ok(acknowledgement(offered, ReplyOutcome::Current, true, format!("revision {revision} is the newest")))
    }
}

fn acknowledgement(position: &Position, outcome: ReplyOutcome, up_to_date: bool, words: String) -> Reply {
    let message = RouterMessage::Ack { epoch: position.epoch.clone(), revision: position.revision };
    Reply { message, outcome, up_to_date, words }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::checksum_of;
    use serde_json::{Value, json};

    #[derive(Default)]
    struct Applied(Mutex<Vec<String>>);

    #[async_trait]
    impl Apply for Applied {
        async fn apply(&self, table: Arc<RoutingTable>, _: &Position) {
            self.0.lock().push(table.version.clone());
        }
    }

    fn document(version: &str) -> Value {
        json!({
            "version": version,
            "defaultPlacement": "a",
            "routingTable": {},
            "placements": { "a": { "kind": "tier", "url": "http://127.0.0.1:9001" } },
        })
    }

    fn snapshot(epoch: &str, revision: u64, table: &Value) -> Bytes {
        let head = json!({ "type": "snapshot", "epoch": epoch, "revision": revision, "checksum": checksum_of(table) });
        format!("{head}\n{table}").into()
    }

    #[tokio::test]
    async fn never_goes_back_and_says_what_it_holds() {
        let (receiver, applied, mut link) =
            (SnapshotReceiver::new(Rules { resilience: true }), Applied::default(), Link::default());
        let mut outcomes = Vec::new();
        for (epoch, revision) in [("e", 2), ("e", 1), ("e", 2), ("e", 3), ("f", 1), ("e", 9), ("f", 2)] {
            let message = snapshot(epoch, revision, &document(&format!("{epoch}{revision}")));
            let reply = receiver.receive(&message, &mut link, &applied).await.expect("a message");
            outcomes.push(reply.outcome);
        }
        use ReplyOutcome::{Applied as A, Ignored as I};
        assert_eq!(outcomes, [A, I, I, A, A, I, A]);
        assert_eq!(*applied.0.lock(), ["e2", "e3", "f1", "f2"]);
        let RouterMessage::Hello { have, .. } = receiver.hello("r") else { panic!("a hello") };
        assert_eq!(have.map(|have| (have.epoch, have.revision)), Some(("f".into(), 2)));
    }

    #[tokio::test]
    async fn refuses_a_table_that_is_not_valid_or_not_what_its_head_says() {
        let (receiver, applied, mut link) =
            (SnapshotReceiver::new(Rules { resilience: true }), Applied::default(), Link::default());
        let mut broken = document("x");
        broken["defaultPlacement"] = json!("nowhere");
        let other = snapshot("e", 1, &document("x"));
        let head_of_other = other.split(|byte| *byte == b'\n').next().expect("a head");
        let mixed = [head_of_other, b"\n", document("y").to_string().as_bytes()].concat();
        for message in [snapshot("e", 1, &broken), mixed.into(), Bytes::from([head_of_other, b"\n"].concat())] {
            let reply = receiver.receive(&message, &mut link, &applied).await.expect("a message");
            assert_eq!(reply.outcome, ReplyOutcome::Refused);
        }
        assert!(applied.0.lock().is_empty());
        assert!(receiver.receive(&Bytes::from_static(b"{}"), &mut link, &applied).await.is_err());
    }
}
