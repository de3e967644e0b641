//! One short name for the content of a JSON document: equal content has an equal checksum, however it was written down.

use std::fmt::Write as _;

use serde_json::Value;
use sha2::{Digest, Sha256};

// #region checksum
/// SHA-256 of the document's canonical form, in 64 lower-case hex digits.
pub fn checksum_of(document: &Value) -> String {
    let mut canonical = String::new();
    write_canonical(document, &mut canonical);
    hex(&Sha256::digest(canonical))
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// JSON with sorted keys and without spaces: two files that differ in order or layout say the same. The other end of the
/// protocol is written in TypeScript, so numbers and the order of keys are JavaScript's.
/// See <https://www.rfc-editor.org/rfc/rfc8785> JSON Canonicalization Scheme.
fn write_canonical(value: &Value, into: &mut String) {
    match value {
        Value::Array(items) => {
            into.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    into.push(',');
                }
                write_canonical(item, into);
            }
            into.push(']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
            // By UTF-16 code units, which differ from bytes beyond the basic plane.
            sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            into.push('{');
            for (at, (key, member)) in sorted.into_iter().enumerate() {
                if at > 0 {
                    into.push(',');
                }
                write_string(key, into);
                into.push(':');
                write_canonical(member, into);
            }
            into.push('}');
        }
        Value::String(text) => write_string(text, into),
        Value::Number(number) => {
            into.push_str(ryu_js::Buffer::new().format(number.as_f64().unwrap_or(f64::NAN)));
        }
        other => into.push_str(&other.to_string()),
    }
}
// #endregion checksum

fn write_string(text: &str, into: &mut String) {
    into.push_str(&serde_json::to_string(text).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn canonical(value: &Value) -> String {
        let mut text = String::new();
        write_canonical(value, &mut text);
        text
    }

    #[test]
    fn writes_what_javascript_writes() {
        let cases = [
            (json!({ "b": [1, { "d": null, "c": true }], "a": "x" }), r#"{"a":"x","b":[1,{"c":true,"d":null}]}"#),
            (json!(1.0), "1"),
            (json!(-0.0), "0"),
            (json!(1e21), "1e+21"),
            (json!(1e-7), "1e-7"),
            (json!(0.1), "0.1"),
            (json!(9007199254740993u64), "9007199254740992"),
            (json!("é\u{1}\n\"\\/\u{7f}\u{2028}"), "\"é\\u0001\\n\\\"\\\\/\u{7f}\u{2028}\""),
            (json!({ "\u{1F600}": 1, "\u{FB33}": 2 }), "{\"\u{1F600}\":1,\"\u{FB33}\":2}"),
        ];
        for (value, text) in cases {
            assert_eq!(canonical(&value), text);
        }
    }

    #[test]
    fn is_the_same_for_another_order() {
        let a: Value = serde_json::from_str(r#"{ "a": 1, "b": { "c": 2, "d": 3 } }"#).expect("JSON");
        let b: Value = serde_json::from_str(r#"{"b":{"d":3,"c":2.0},"a":1e0}"#).expect("JSON");
        assert_eq!(checksum_of(&a), checksum_of(&b));
        assert_eq!(checksum_of(&json!({})), "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    }
}
