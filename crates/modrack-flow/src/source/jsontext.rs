//! JSON text read into values, without loss: whole numbers beyond 64 bits are told, not rounded.
//!
//! Its own reader, because the usual ones give such numbers as floats without a word.

use modrack_core::{Map, Text, Value};

/// How deep values may lie in each other.
const DEEPEST: usize = 128;

/// Why a text is not JSON, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The byte, counted from 0.
    pub(crate) at: usize,
    /// What is wrong there.
    pub(crate) message: String,
    /// Whether it is JSON, and a number in it is too large.
    pub(crate) number: bool,
}

/// Reads texts that have the same keys again and again.
#[derive(Default)]
pub(crate) struct Parser {
    /// The keys of the last record by their place: the next record has most likely the same.
    keys: Vec<Text>,
}

impl Parser {
    /// Reads one value, which must be all of the text.
    pub(crate) fn parse(&mut self, text: &str) -> Result<Value, Fault> {
        let mut reader = Reader { text, bytes: text.as_bytes(), at: 0, keys: &mut self.keys };
        reader.space();
        let value = reader.value(0)?;
        reader.space();
        if reader.at < text.len() {
            return Err(reader.fault("something follows the value"));
        }
        Ok(value)
    }
}

/// A text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    quote_into(text, &mut out);
    out
}

/// Appends a text as a JSON string.
fn quote_into(text: &str, out: &mut String) {
    use std::fmt::Write as _;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A value as JSON text, for people to read: what JSON has no form for is text.
pub(crate) fn written(value: &Value) -> String {
    let mut out = String::new();
    write_into(value, &mut out);
    out
}

/// Bytes in base64, with padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let all = group.iter().fold(0u32, |all, &byte| all << 8 | u32::from(byte)) << (8 * (3 - group.len()));
        for index in 0..4 {
            let letter = LETTERS[(all >> (18 - 6 * index)) as usize & 63];
            out.push(if index <= group.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

fn write_into(value: &Value, out: &mut String) {
    let separated = |out: &mut String, index: usize| {
        if index > 0 {
            out.push_str(", ");
        }
    };
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(value) => out.push_str(&value.to_string()),
        Value::Float(value) if value.is_finite() => out.push_str(&format!("{value:?}")),
        Value::Float(value) => quote_into(&value.to_string(), out),
        Value::Text(text) => quote_into(text, out),
        Value::Bytes(bytes) => quote_into(&base64(bytes), out),
        Value::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                separated(out, index);
                write_into(item, out);
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (index, (key, item)) in map.iter().enumerate() {
                separated(out, index);
                quote_into(key, out);
                out.push_str(": ");
                write_into(item, out);
            }
            out.push('}');
        }
        Value::Table(table) => quote_into(&format!("a table of {} rows", table.num_rows()), out),
        Value::Foreign(object) => quote_into(&object.type_name(), out),
    }
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    keys: &'a mut Vec<Text>,
}

impl Reader<'_> {
    fn fault(&self, message: impl Into<String>) -> Fault {
        Fault { at: self.at, message: message.into(), number: false }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Result<Value, Fault> {
        if depth > DEEPEST {
            return Err(self.fault("values lie too deep in each other"));
        }
        match self.peek() {
            Some(b'{') => self.record(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => Ok(Value::Text(Text::from(self.string()?))),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(_) => Err(self.fault("no value begins like this")),
            None => Err(self.fault("the text ends where a value should be")),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Fault> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            return Ok(value);
        }
        Err(self.fault(format!("`{word}` is meant, perhaps")))
    }

    fn record(&mut self, depth: usize) -> Result<Value, Fault> {
        self.at += 1;
        let mut map = Map::with_capacity(if depth == 0 { self.keys.len() } else { 0 });
        self.space();
        if self.eat(b'}') {
            return Ok(Value::from(map));
        }
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return Err(self.fault("a key in double quotes should be here"));
            }
            let key_at = self.at;
            let key = self.string()?;
            let key = self.known(&key, map.len(), depth);
            self.space();
            if !self.eat(b':') {
                return Err(self.fault("a `:` should be here"));
            }
            self.space();
            let value = self.value(depth + 1)?;
            if map.contains_key(&*key) {
                self.at = key_at;
                return Err(self.fault(format!("the key `{key}` is there twice")));
            }
            map.insert(key, value);
            self.space();
            if self.eat(b'}') {
                return Ok(Value::from(map));
            }
            if !self.eat(b',') {
                return Err(self.fault("a `,` or `}` should be here"));
            }
        }
    }

    /// The key as the last record had it at this place, so that it is not made anew for each row.
    fn known(&mut self, key: &str, index: usize, depth: usize) -> Text {
        if depth > 0 {
            return Text::from(key);
        }
        match self.keys.get(index) {
            Some(known) if known == key => known.clone(),
            _ => {
                let text = Text::from(key);
                self.keys.truncate(index);
                if self.keys.len() == index {
                    self.keys.push(text.clone());
                }
                text
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, Fault> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.eat(b']') {
            return Ok(Value::List(items));
        }
        loop {
            self.space();
            items.push(self.value(depth + 1)?);
            self.space();
            if self.eat(b']') {
                return Ok(Value::List(items));
            }
            if !self.eat(b',') {
                return Err(self.fault("a `,` or `]` should be here"));
            }
        }
    }

    fn number(&mut self) -> Result<Value, Fault> {
        let start = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let digits = |reader: &mut Self| {
            let from = reader.at;
            while reader.peek().is_some_and(|byte| byte.is_ascii_digit()) {
                reader.at += 1;
            }
            reader.at - from
        };
        let zero = self.peek() == Some(b'0');
        let whole = digits(self);
        if whole == 0 || (zero && whole > 1) {
            return Err(self.fault("this is not a number in JSON"));
        }
        let mut decimal = false;
        if self.eat(b'.') {
            decimal = true;
            if digits(self) == 0 {
                return Err(self.fault("a digit should follow the `.`"));
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            decimal = true;
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            if digits(self) == 0 {
                return Err(self.fault("a digit should follow the `e`"));
            }
        }
        let text = &self.text[start..self.at];
        let large =
            || Fault { at: start, message: format!("`{text}` does not fit into 64 bits"), number: true };
        if decimal {
            let value: f64 = text.parse().map_err(|_| self.fault("this is not a number"))?;
            return if value.is_finite() { Ok(Value::Float(value)) } else { Err(large()) };
        }
        text.parse().map(Value::Int).map_err(|_| large())
    }

    fn string(&mut self) -> Result<String, Fault> {
        self.at += 1;
        let mut from = self.at;
        let mut out = String::new();
        loop {
            match self.peek() {
                None => return Err(self.fault("the text ends within a string")),
                Some(b'"') => {
                    out.push_str(&self.text[from..self.at]);
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => {
                    out.push_str(&self.text[from..self.at]);
                    self.at += 1;
                    out.push(self.escape()?);
                    from = self.at;
                }
                Some(byte) if byte < b' ' => return Err(self.fault("a control character must be escaped")),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<char, Fault> {
        let Some(byte) = self.peek() else { return Err(self.fault("the text ends within a string")) };
        self.at += 1;
        Ok(match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.hex()?;
                let code = match high {
                    0xd800..=0xdbff if self.eat(b'\\') && self.eat(b'u') => match self.hex()? {
                        low @ 0xdc00..=0xdfff => 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00),
                        _ => 0xd800,
                    },
                    other => other,
                };
                char::from_u32(code).ok_or_else(|| self.fault("half of a surrogate pair"))?
            }
            _ => return Err(self.fault("no such escape")),
        })
    }

    fn hex(&mut self) -> Result<u32, Fault> {
        let digits = self.bytes.get(self.at..self.at + 4).and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        self.at += 4;
        code.ok_or_else(|| self.fault("four hexadecimal digits should follow `\\u`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let got = match Parser::default().parse(text) {
            Ok(value) => format!("{value:?}"),
            Err(fault) => format!("{} at {}", fault.message, fault.at),
        };
        assert!(got.contains(expected), "{text}: {got}");
    }

    #[test]
    fn json_is_read_whole() {
        check(
            r#"{"a": 1, "b": [true, null, -1.5e3]}"#,
            r#"{"a": Int(1), "b": List([Bool(true), Null, Float(-1500.0)])}"#,
        );
        check(r#""\u00e9\ud83d\ude00\n""#, r#"Text("é😀\n")"#);
        check("9223372036854775807", "Int(9223372036854775807)");
        check("9223372036854775808", "does not fit into 64 bits at 0");
        check("1e999", "does not fit into 64 bits");
        check(r#"{"a": 1, "a": 2}"#, "the key `a` is there twice at 9");
        check("{'a': 1}", "a key in double quotes should be here at 1");
        check("[1, ]", "no value begins like this at 4");
        check("01", "not a number in JSON");
        check("1 2", "something follows the value at 2");
        check(r#""\ud83d""#, "half of a surrogate pair");
        check(&"[".repeat(200), "too deep");
        check("{\"a\": \"x", "the text ends within a string");
    }

    #[test]
    fn bytes_are_written_in_base64() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn a_written_value_is_json() {
        let text = r#"{"a": [1, -2.5, null], "b": {"c": "x\"y"}, "d": true}"#;
        assert_eq!(written(&Parser::default().parse(text).unwrap()), text);
    }

    #[test]
    fn quoting_is_read_back() {
        let text = "a\"b\\c\n\u{1}é";
        check(&quoted(text), &format!("{text:?}"));
    }
}
