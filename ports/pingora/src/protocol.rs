//! What a control plane and a router say to each other, and the rule by which a router takes a snapshot or leaves it. No
//! sockets, no files. It leaves out how messages travel (`control_plane_client.rs`). The other end is the control plane of
//! the workbook's m3, in TypeScript.

use std::collections::HashSet;

use serde::Serialize;
use serde_json::Value;

use crate::table_decoder::Decoded;

/// Changes when an old peer would misread a message. New optional fields do not change it: unknown fields are skipped.
pub const PROTOCOL_VERSION: u32 = 1;

// #region messages
/// A point in the history of one routing table. Revisions grow within an epoch; a store that lost a part of its history
/// starts a new epoch, because its next revision number may have been given out before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Position {
    pub epoch: String,
    pub revision: u64,
    /// SHA-256 of the canonical routing document: the same position with other content is a broken history.
    pub checksum: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum RouterMessage {
    /// First message of a link: who the router is and what it has. The control plane sends only what is missing.
    #[serde(rename_all = "camelCase")]
    Hello { protocol: u32, router_id: String, have: Option<Position> },
    /// The router runs this position now; also its response to a snapshot that it had no need of.
    Ack { epoch: String, revision: u64 },
    /// The router refused this position and goes on with what it has.
    Nack { epoch: String, revision: u64, reasons: Vec<String> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole routing table. It follows after a newline: a router that has no use for it never reads it.
    Snapshot,
    /// Response to a `hello` that needs no snapshot: what the router has is the newest.
    Current,
}
// #endregion messages

/// Codes with which a link is closed on purpose. <https://www.rfc-editor.org/rfc/rfc6455#section-7.4.2>
pub const CLOSE_GOING_AWAY: u16 = 1001;
pub const CLOSE_NOT_UNDERSTOOD: u16 = 4400;

/// `words` as a close frame can carry them: at most 123 bytes. RFC 6455 §5.5.
pub fn close_reason(words: &str) -> String {
    let plain = |c: char| if matches!(c, ' '..='~') { c } else { '?' };
    words.chars().map(plain).take(123).collect()
}

// #region codec
/// A longer head is none of this protocol.
const MAX_HEAD_BYTES: usize = 4096;
const MAX_REVISION: u64 = (1 << 53) - 1;

/// The head of a message from the control plane, and the table after it, unread. The error says what is wrong.
pub fn decode(bytes: &[u8]) -> Result<(Kind, Position, &[u8]), String> {
    let at = memchr::memchr(b'\n', bytes);
    let (head, body) = at.map_or((bytes, &[][..]), |at| (&bytes[..at], &bytes[at + 1..]));
    if head.len() > MAX_HEAD_BYTES {
        return Err(format!("A head of {} bytes", head.len()));
    }
    let head: Value = serde_json::from_slice(head).map_err(|_| "Not JSON")?;
    let kind = match head["type"].as_str() {
        Some("snapshot") => Kind::Snapshot,
        Some("current") => Kind::Current,
        _ => return Err("type: expected \"snapshot\" or \"current\"".into()),
    };
    let epoch = head["epoch"].as_str().filter(|epoch| (1..=64).contains(&epoch.chars().count()));
    let revision = head["revision"].as_u64().filter(|revision| (1..=MAX_REVISION).contains(revision));
    let is_hex = |text: &&str| text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let checksum = head["checksum"].as_str().filter(is_hex);
    let position = Position {
        epoch: epoch.ok_or("epoch: expected 1 to 64 characters")?.to_owned(),
        revision: revision.ok_or("revision: expected a whole number from 1 on")?,
        checksum: checksum.ok_or("checksum: expected 64 hex digits")?.to_owned(),
    };
    Ok((kind, position, body))
}

/// A `nack` that fits its bounds, whatever the number and length of the faults.
pub fn nack_of(offered: &Position, faults: &[String]) -> RouterMessage {
    const MAX_REASONS: usize = 100;
    let mut reasons: Vec<String> =
        faults.iter().take(MAX_REASONS).map(|fault| fault.chars().take(300).collect()).collect();
    if faults.len() > MAX_REASONS {
        reasons.push(format!("… and {} more faults", faults.len() - MAX_REASONS));
    }
    RouterMessage::Nack { epoch: offered.epoch.clone(), revision: offered.revision, reasons }
}
// #endregion codec

// #region decide
#[derive(Debug)]
pub enum Verdict {
    /// The position is acceptable; look into the table and decide again.
    Validate,
    Apply(Decoded),
    /// `same` and `older`: late or repeated. `superseded`: of an epoch that this link has already moved on from.
    Ignore(&'static str),
    Nack(Vec<String>),
}

/// Whether a router that holds `held` takes `offered`.
///
/// Within an epoch only a higher revision is taken: messages may be late, repeated or out of order, and the table must never
/// go back. Another epoch is taken whatever its revision, because the two numbers have no order. The table comes last, since
/// validating it is the costly part: call without `validated` first, and again with it when the verdict is `Validate`. The second
/// call checks the position anew, so the validation may take its time.
///
/// `superseded`: epochs that this link has moved on from. A snapshot of one of them was overtaken on the way.
pub fn decide(
    held: Option<&Position>,
    offered: &Position,
    superseded: &HashSet<String>,
    validated: Option<Result<Decoded, Vec<String>>>,
) -> Verdict {
    match held {
        Some(held) if held.epoch == offered.epoch => {
            if offered.revision < held.revision {
                return Verdict::Ignore("older");
            }
            if offered.revision == held.revision {
                if offered.checksum == held.checksum {
                    return Verdict::Ignore("same");
                }
                let revision = held.revision;
                return Verdict::Nack(vec![format!(
                    "revision {revision} of this epoch was applied before with other content"
                )]);
            }
        }
        _ if superseded.contains(&offered.epoch) => return Verdict::Ignore("superseded"),
        _ => {}
    }
    match validated {
        None => Verdict::Validate,
        Some(Err(faults)) => Verdict::Nack(faults),
        Some(Ok(decoded)) if decoded.checksum != offered.checksum => Verdict::Nack(vec![format!(
            "checksum: expected {}, the table that arrived has {}",
            offered.checksum, decoded.checksum
        )]),
        Some(Ok(decoded)) => Verdict::Apply(decoded),
    }
}
// #endregion decide

#[cfg(test)]
mod tests {
    use super::*;
    use crate::static_table::static_routing_table;
    use serde_json::json;
    use std::sync::Arc;

    fn at(epoch: &str, revision: u64, checksum: &str) -> Position {
        Position { epoch: epoch.into(), revision, checksum: checksum.into() }
    }

    fn verdict(held: Option<Position>, offered: &Position, superseded: &[&str], checksum: Option<&str>) -> String {
        let superseded = superseded.iter().map(|epoch| epoch.to_string()).collect();
        let table = || Arc::new(static_routing_table(&Default::default()));
        let validated = checksum.map(|checksum| Ok(Decoded { table: table(), checksum: checksum.into() }));
        match decide(held.as_ref(), offered, &superseded, validated) {
            Verdict::Validate => "validate".into(),
            Verdict::Apply(_) => "apply".into(),
            Verdict::Ignore(why) => format!("ignore: {why}"),
            Verdict::Nack(reasons) => format!("nack: {}", reasons.join("; ")),
        }
    }

    #[test]
    fn takes_only_what_is_newer_and_what_it_says_it_is() {
        let held = || Some(at("a", 5, "x"));
        assert_eq!(verdict(None, &at("a", 1, "x"), &[], None), "validate");
        assert_eq!(verdict(held(), &at("a", 6, "y"), &[], None), "validate");
        assert_eq!(verdict(held(), &at("a", 4, "y"), &[], None), "ignore: older");
        assert_eq!(verdict(held(), &at("a", 5, "x"), &[], None), "ignore: same");
        assert!(verdict(held(), &at("a", 5, "y"), &[], None).starts_with("nack: revision 5"));
        assert_eq!(verdict(held(), &at("b", 1, "y"), &[], None), "validate");
        assert_eq!(verdict(held(), &at("b", 9, "y"), &["b"], None), "ignore: superseded");
        assert_eq!(verdict(held(), &at("a", 6, "y"), &[], Some("y")), "apply");
        assert!(verdict(held(), &at("a", 6, "y"), &[], Some("z")).starts_with("nack: checksum"));
        assert_eq!(verdict(Some(at("a", 7, "z")), &at("a", 6, "y"), &[], Some("y")), "ignore: older");
    }

    #[test]
    fn reads_heads_and_refuses_what_is_none() {
        let checksum = "0".repeat(64);
        let head = json!({ "type": "snapshot", "epoch": "e", "revision": 3, "checksum": checksum, "later": 1 });
        let bytes = format!("{head}\n{{}}");
        let (kind, position, body) = decode(bytes.as_bytes()).expect("a message");
        assert_eq!((kind, position, body), (Kind::Snapshot, at("e", 3, &checksum), &b"{}"[..]));
        let with = |name: &str, value: Value| {
            let mut head = head.clone();
            head[name] = value;
            decode(head.to_string().as_bytes()).map(|_| ()).err()
        };
        for (name, value) in [
            ("type", json!("delta")),
            ("epoch", json!("")),
            ("epoch", json!("e".repeat(65))),
            ("revision", json!(0)),
            ("revision", json!(1.5)),
            ("revision", json!(9_007_199_254_740_992u64)),
            ("checksum", json!("A".repeat(64))),
        ] {
            assert!(with(name, value.clone()).is_some_and(|fault| fault.starts_with(name)), "{name}: {value}");
        }
        assert_eq!(decode(b"[").err().as_deref(), Some("Not JSON"));
        assert!(decode(&vec![b' '; 5000]).is_err());
    }

    #[test]
    fn says_hello_ack_and_nack_as_the_other_end_reads_them() {
        let hello = RouterMessage::Hello { protocol: 1, router_id: "r1".into(), have: None };
        assert_eq!(json!(hello), json!({ "type": "hello", "protocol": 1, "routerId": "r1", "have": null }));
        let ack = RouterMessage::Ack { epoch: "e".into(), revision: 2 };
        assert_eq!(json!(ack), json!({ "type": "ack", "epoch": "e", "revision": 2 }));
        let faults: Vec<String> = (0..250).map(|n| format!("{n}{}", "x".repeat(1000))).collect();
        let RouterMessage::Nack { reasons, .. } = nack_of(&at("e", 2, ""), &faults) else { panic!("a nack") };
        assert_eq!((reasons.len(), reasons[0].len()), (101, 300));
    }
}
