//! How faults in a JSON document are found and told to the person who wrote it: one line per fault, its path first. Knows
//! nothing of routing. What a document costs to refuse is bounded: faults beyond a count are only counted.

use serde_json::{Map, Value};

/// More faults than this are counted, not listed: nobody reads on, and logs and responses stay small.
const MAX_FAULTS: usize = 100;

// #region path
/// Where a value stands in its document: a list of names that lives on the stack of whoever walks the document.
#[derive(Clone, Copy)]
pub struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    name: &'a str,
}

impl<'a> Path<'a> {
    pub const DOCUMENT: Path<'static> = Path { parent: None, name: "" };

    pub fn child(&'a self, name: &'a str) -> Path<'a> {
        Path { parent: Some(self), name }
    }

    fn write(&self, into: &mut String) {
        let Some(parent) = self.parent else { return };
        parent.write(into);
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '-');
        if self.name.is_empty() || !self.name.chars().all(is_plain) {
            into.push_str(&format!("[{}]", quoted(&Value::from(self.name))));
        } else {
            into.push('.');
            into.push_str(self.name);
        }
    }

    /// The path as one would write it in code; the whole document is `(document)`.
    fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text);
        if text.is_empty() { "(document)".into() } else { text.strip_prefix('.').unwrap_or(&text).into() }
    }
}
// #endregion path

// #region faults
#[derive(Default)]
pub struct Faults {
    listed: Vec<String>,
    count: usize,
}

impl Faults {
    pub fn add(&mut self, path: &Path<'_>, message: impl AsRef<str>) {
        self.count += 1;
        if self.listed.len() < MAX_FAULTS {
            self.listed.push(format!("{}: {}", path.text(), message.as_ref()));
        }
    }

    pub fn count(&self) -> usize {
        self.count
    }

    pub fn into_lines(mut self) -> Vec<String> {
        let more = self.count - self.listed.len();
        if more > 0 {
            self.listed.push(format!("… and {more} more"));
        }
        self.listed
    }
}
// #endregion faults

/// A value in words, cut short: a fault is one line, and what is wrong may be large or deep.
pub fn quoted(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
        Value::String(text) => {
            let head: String = text.chars().take(81).collect();
            cut(serde_json::to_string(&head).unwrap_or_default())
        }
        other => cut(other.to_string()),
    }
}

fn cut(text: String) -> String {
    if text.chars().count() <= 80 { text } else { text.chars().take(80).chain(['…']).collect() }
}

pub fn expected(what: &str, value: Option<&Value>) -> String {
    match value {
        None => format!("missing; expected {what}"),
        Some(value) => format!("expected {what}, got {}", quoted(value)),
    }
}

// #region readers
/// An object whose members are read by name. `finish` names those that nobody asked for: a misspelt setting would
/// otherwise be one that is switched off.
pub struct Fields<'a> {
    members: &'a Map<String, Value>,
    path: &'a Path<'a>,
    known: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub fn of(value: Option<&'a Value>, path: &'a Path<'a>, faults: &mut Faults) -> Option<Self> {
        match value {
            Some(Value::Object(members)) => Some(Fields { members, path, known: Vec::new() }),
            other => {
                faults.add(path, expected("an object", other));
                None
            }
        }
    }

    pub fn get(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.members.get(name)
    }

    pub fn path(&self, name: &'a str) -> Path<'a> {
        self.path.child(name)
    }

    /// A member that must be text.
    pub fn text(&mut self, name: &'static str, faults: &mut Faults) -> Option<&'a str> {
        let value = self.get(name);
        let text = value.and_then(Value::as_str);
        if text.is_none() {
            faults.add(&self.path(name), expected("a string", value));
        }
        text
    }

    /// A number in bounds; `default` where the member is absent, and a fault where there is no default.
    pub fn number(&mut self, name: &'static str, default: Option<f64>, bounds: Bounds, faults: &mut Faults) -> f64 {
        let value = self.get(name);
        let fallback = default.unwrap_or(f64::NAN);
        let Some(number) = value.and_then(Value::as_f64) else {
            if value.is_some() || default.is_none() {
                faults.add(&self.path(name), expected("a number", value));
            }
            return fallback;
        };
        if let Some(fault) = bounds.fault(number) {
            faults.add(&self.path(name), format!("{fault}, got {}", quoted(value.unwrap_or(&Value::Null))));
            return fallback;
        }
        number
    }

    pub fn finish(self, faults: &mut Faults) {
        for name in self.members.keys().filter(|name| !self.known.contains(&name.as_str())) {
            faults.add(&self.path.child(name), "unknown property");
        }
    }
}

/// From `min` to `max`; without `min` itself for `over`.
#[derive(Clone, Copy)]
pub struct Bounds {
    pub min: f64,
    pub max: f64,
    pub over: bool,
    pub whole: bool,
}

impl Bounds {
    pub const fn from_to(min: f64, max: f64) -> Self {
        Bounds { min, max, over: false, whole: false }
    }

    pub const fn over_to(min: f64, max: f64) -> Self {
        Bounds { min, max, over: true, whole: false }
    }

    pub const fn whole(min: f64, max: f64) -> Self {
        Bounds { min, max, over: false, whole: true }
    }

    fn fault(self, number: f64) -> Option<String> {
        if self.whole && number.fract() != 0.0 {
            return Some("must be a whole number".into());
        }
        if number < self.min || (self.over && number == self.min) {
            return Some(format!("must be {} {}", if self.over { "more than" } else { "at least" }, self.min));
        }
        (number > self.max).then(|| format!("must be at most {}", self.max))
    }
}
// #endregion readers

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn writes_a_path_as_code_does() {
        let cases: [(&[&str], &str); 4] = [
            (&[], "(document)"),
            (&["placements", "tier1", "url"], "placements.tier1.url"),
            (&["routingTable", ""], "routingTable[\"\"]"),
            (&["routingTable", "a b", "é"], "routingTable[\"a b\"][\"é\"]"),
        ];
        for (names, text) in cases {
            fn walk(path: &Path<'_>, names: &[&str]) -> String {
                match names.split_first() {
                    None => path.text(),
                    Some((name, rest)) => walk(&path.child(name), rest),
                }
            }
            assert_eq!(walk(&Path::DOCUMENT, names), text);
        }
    }

    #[test]
    fn quotes_a_value_in_one_short_line() {
        assert_eq!(quoted(&json!([1])), "a list");
        assert_eq!(quoted(&json!("a\nb")), r#""a\nb""#);
        assert_eq!(quoted(&json!("x".repeat(1000))).chars().count(), 81);
        assert_eq!(expected("a string", Some(&json!(7))), "expected a string, got 7");
        assert_eq!(expected("a string", None), "missing; expected a string");
    }

    #[test]
    fn counts_the_faults_beyond_a_hundred() {
        let mut faults = Faults::default();
        for _ in 0..250 {
            faults.add(&Path::DOCUMENT, "wrong");
        }
        let lines = faults.into_lines();
        assert_eq!((lines.len(), lines[100].as_str()), (101, "… and 150 more"));
    }
}
