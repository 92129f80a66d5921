//! The little of JSON that manifests and reports need.

use std::collections::BTreeMap;

/// Nesting of manifests is shallow; anything deeper is not one.
const DEPTH_LIMIT: usize = 32;

/// A value, numbers and literals left out: manifests have none that matter.
#[derive(Clone, PartialEq, Debug)]
pub enum Json {
    String(String),
    Array(Vec<Json>),
    Object(BTreeMap<String, Json>),
    /// A number, `true`, `false` or `null`, as written.
    Other(String),
}

impl Json {
    /// Reads one value that fills the text.
    pub fn parse(text: &str) -> Option<Json> {
        let mut rest = text;
        let value = value(&mut rest, 0)?;
        rest.trim_start().is_empty().then_some(value)
    }

    /// The member of an object.
    pub fn get(&self, key: &str) -> Option<&Json> {
        if let Json::Object(members) = self { members.get(key) } else { None }
    }

    /// The text of a string.
    pub fn text(&self) -> Option<&str> {
        if let Json::String(text) = self { Some(text) } else { None }
    }

    /// The items of an array.
    pub fn items(&self) -> &[Json] {
        if let Json::Array(items) = self { items } else { &[] }
    }
}

fn eat(rest: &mut &str, token: char) -> bool {
    let trimmed = rest.trim_start();
    *rest = trimmed.strip_prefix(token).unwrap_or(trimmed);
    rest.len() < trimmed.len()
}

fn value(rest: &mut &str, depth: usize) -> Option<Json> {
    if depth > DEPTH_LIMIT {
        return None;
    }
    if eat(rest, '{') {
        let mut members = BTreeMap::new();
        while !eat(rest, '}') {
            if !members.is_empty() && !eat(rest, ',') {
                return None;
            }
            let Json::String(key) = value(rest, depth + 1)? else { return None };
            if !eat(rest, ':') {
                return None;
            }
            members.insert(key, value(rest, depth + 1)?);
        }
        return Some(Json::Object(members));
    }
    if eat(rest, '[') {
        let mut items = vec![];
        while !eat(rest, ']') {
            if !items.is_empty() && !eat(rest, ',') {
                return None;
            }
            items.push(value(rest, depth + 1)?);
        }
        return Some(Json::Array(items));
    }
    if eat(rest, '"') {
        return string(rest).map(Json::String);
    }
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.'))).unwrap_or(rest.len());
    let (word, after) = rest.split_at(end);
    *rest = after;
    (!word.is_empty()).then(|| Json::Other(word.to_string()))
}

/// The rest of a string after its opening quote.
fn string(rest: &mut &str) -> Option<String> {
    let mut text = String::new();
    let mut chars = rest.chars();
    loop {
        match chars.next()? {
            '"' => break,
            '\\' => match chars.next()? {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'r' => text.push('\r'),
                'b' => text.push('\u{8}'),
                'f' => text.push('\u{c}'),
                'u' => {
                    let digits: String = chars.by_ref().take(4).collect();
                    // Halves of a surrogate pair do not occur in names; they read as the replacement character.
                    let code = u32::from_str_radix(&digits, 16).ok()?;
                    text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
    *rest = chars.as_str();
    Some(text)
}

/// A string as JSON writes it.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            c if c < ' ' => quoted.push_str(&format!("\\u{:04x}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_and_strings_written() {
        let json =
            Json::parse(r#" {"name": "a\"\u0062", "kinds": ["run", "vjp"], "n": -1.5e3, "e": {}} "#).expect("JSON");
        assert_eq!(json.get("name").and_then(Json::text), Some("a\"b"));
        assert_eq!(json.get("kinds").map(|kinds| kinds.items().len()), Some(2));
        assert_eq!(json.get("n"), Some(&Json::Other("-1.5e3".to_string())));
        let awkward = "a\"\\\n\u{1}é";
        assert_eq!(Json::parse(&quoted(awkward)), Some(Json::String(awkward.to_string())));
        for broken in ["", "{", "[1", "{\"a\" 1}", "\"", "[1] 2", &"[".repeat(1000)] {
            assert_eq!(Json::parse(broken), None, "{broken}");
        }
    }
}
