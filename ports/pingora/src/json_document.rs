//! From bytes to a JSON value, or to the reasons why not. Stricter than `serde_json`, which takes documents that nobody means:
//! with a name that stands twice, or nested without end.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::validation::{Faults, Path};

/// A routing document has four levels. One that is nested without end would exhaust the memory.
const MAX_DEPTH: usize = 16;
/// The longest list of a routing document has 16 elements.
const MAX_LIST_LENGTH: usize = 1_000;

// #region read-json
/// Reads UTF-8 JSON, with or without a byte order mark. Its cost is a small multiple of `bytes`.
pub fn read_json(bytes: &[u8]) -> Result<Value, Vec<String>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let faults = RefCell::new(Faults::default());
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let reader = Reader { path: &Path::DOCUMENT, depth: 0, faults: &faults };
    let read = reader.deserialize(&mut json).and_then(|value| json.end().map(|()| value));
    let mut faults = faults.into_inner();
    match read {
        Ok(value) if faults.count() == 0 => return Ok(value),
        Ok(_) => {}
        Err(error) => faults.add(&Path::DOCUMENT, format!("not JSON: {error}")),
    }
    Err(faults.into_lines())
}

/// Reads one value, which stands at `path`.
#[derive(Clone, Copy)]
struct Reader<'a> {
    path: &'a Path<'a>,
    depth: usize,
    faults: &'a RefCell<Faults>,
}

impl Reader<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        let depth = self.depth + 1;
        if depth > MAX_DEPTH {
            return Err(E::custom(format_args!("nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(Reader { depth, ..self })
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let inside = self.deeper()?;
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let path = self.path.child(&name);
            let value = map.next_value_seed(Reader { path: &path, ..inside })?;
            if members.contains_key(&name) {
                self.faults.borrow_mut().add(&path, "is there more than once; JSON would keep the last one only");
            }
            members.insert(name, value);
        }
        Ok(Value::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let inside = self.deeper()?;
        let mut list = Vec::new();
        loop {
            let index = list.len().to_string();
            let path = self.path.child(&index);
            let Some(value) = seq.next_element_seed(Reader { path: &path, ..inside })? else { break };
            if list.len() == MAX_LIST_LENGTH {
                return Err(A::Error::custom(format_args!("a list of more than {MAX_LIST_LENGTH} elements")));
            }
            list.push(value);
        }
        Ok(Value::Array(list))
    }
    // #endregion read-json

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_what_serde_reads() {
        let text = r#"{"a":[1,-2,2.5,"x",true,null],"b":{"c":{}}}"#;
        assert_eq!(read_json(text.as_bytes()), Ok(json!({"a":[1,-2,2.5,"x",true,null],"b":{"c":{}}})));
        assert_eq!(read_json(b"\xef\xbb\xbf 7 "), Ok(json!(7)));
    }

    #[test]
    fn names_what_stands_twice_with_its_path() {
        let faults = read_json(br#"{"a":{"b":1,"\u0062":2},"c":[{"d":1},{"d":1,"d":1}]}"#).expect_err("faults");
        let words = "is there more than once; JSON would keep the last one only";
        assert_eq!(faults, [format!("a.b: {words}"), format!("c.1.d: {words}")]);
    }

    #[test]
    fn refuses_what_is_no_document_or_has_no_end() {
        let long = format!("[{}0]", "0,".repeat(MAX_LIST_LENGTH));
        let cases = [
            ("", "EOF"),
            ("{}{}", "trailing characters"),
            (&"[".repeat(100_000), "nested deeper than 16 levels"),
            (&long, "a list of more than 1000 elements"),
        ];
        for (text, words) in cases {
            let faults = read_json(text.as_bytes()).expect_err("a fault");
            assert!(faults[0].starts_with("(document): not JSON: ") && faults[0].contains(words), "{faults:?}");
        }
        assert!(read_json(b"\"\xff\"").is_err());
    }
}
