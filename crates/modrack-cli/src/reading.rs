//! What the ARGs of a call read: files and standard input, `@FILE` and `@-`.
//!
//! A call that is made here reads an ARG when the function turns out to take it. For a call that a server makes, all that an
//! ARG may mean is read before, here, where the user's files are, and sent with the words: [`Words`].

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use modrack_core::{Cancel, Code, Error, Place, Result, Signature};
use rustix::event::{PollFd, PollFlags, poll};
use serde_json::{Map, Value as Json, json};

use crate::arguments::{self, Arguments};
use crate::output::{PATIENCE, reason};
use crate::wire;

/// The bytes of a file, or of standard input for `-`.
///
/// # Errors
/// [`Code::Usage`] for what cannot be read, or when the verb was given up while nothing came.
pub(crate) fn read(path: &str, cancel: &Cancel) -> Result<Vec<u8>> {
    let bytes = if path == "-" { read_stdin(cancel) } else { fs::read(path) };
    bytes.map_err(|error| {
        Error::new(Code::Usage, format!("`{path}` cannot be read: {}", reason(&error)))
            .place(Place::file(Path::new(path)))
            .hint("`@FILE` reads an argument from a file; write `@@` for a text that begins with `@`")
    })
}

/// The ARGs of a call with all that they may read, as they are sent to a server.
#[derive(Debug, Default)]
pub(crate) struct Words {
    words: Vec<String>,
    read: BTreeMap<String, Result<Vec<u8>>>,
}

impl Words {
    /// The words, and what stands behind each `@` of theirs. What cannot be read is a failure only where the function takes
    /// it for an argument.
    pub(crate) fn of(words: &[String], cancel: &Cancel) -> Self {
        let mut all = Self { words: words.to_vec(), read: BTreeMap::new() };
        for word in words {
            let rest = arguments::name_of(word).and_then(|name| word.get(name.len() + 1..));
            for path in [Some(&**word), rest].into_iter().flatten().filter_map(|text| text.strip_prefix('@'))
            {
                if !path.starts_with('@') && !all.read.contains_key(path) {
                    all.read.insert(path.to_owned(), read(path, cancel));
                }
            }
        }
        all
    }

    /// The words as JSON: `{"words": [...], "read": {PATH: {"base64"} | {"text"} | {"error"}}}`.
    pub(crate) fn to_json(&self) -> Json {
        let each = |read: &Result<Vec<u8>>| match read {
            Ok(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => json!({ "text": text }),
                Err(_) => json!({ "base64": BASE64.encode(bytes) }),
            },
            Err(error) => wire::document(error),
        };
        let read: Map<String, Json> =
            self.read.iter().map(|(path, read)| (path.clone(), each(read))).collect();
        json!({ "words": self.words, "read": read })
    }

    /// The words that were sent; none where the document has none.
    pub(crate) fn from_json(document: &Json) -> Option<Self> {
        let words = document["words"].as_array()?;
        let words = words.iter().map(|word| word.as_str().map(str::to_owned)).collect::<Option<_>>()?;
        let each = |read: &Json| match (read["text"].as_str(), read["base64"].as_str()) {
            (Some(text), _) => Some(Ok(text.as_bytes().to_vec())),
            (None, Some(text)) => BASE64.decode(text).ok().map(Ok),
            (None, None) => wire::error_of(read).map(Err),
        };
        let read = match document.get("read").and_then(Json::as_object) {
            Some(read) => {
                read.iter().map(|(path, read)| Some((path.clone(), each(read)?))).collect::<Option<_>>()?
            }
            None => BTreeMap::new(),
        };
        Some(Self { words, read })
    }

    /// The words as arguments of a function with this signature. Nothing is read: what was not sent cannot be had.
    ///
    /// # Errors
    /// As [`arguments::parse`], and [`Code::Usage`] for what could not be read where the words come from.
    pub(crate) fn parse(&self, signature: Option<&Signature>) -> Result<Arguments> {
        arguments::parse(&self.words, signature, &mut |path| {
            self.read.get(path).cloned().unwrap_or_else(|| {
                Err(Error::new(Code::Usage, format!("`{path}` was not sent with the arguments"))
                    .hint("A server reads no files for who calls it: send what the argument is to be"))
            })
        })
    }
}

/// All of the standard input.
///
/// # Errors
/// What the system refuses; that the verb was given up while nothing came.
fn read_stdin(cancel: &Cancel) -> io::Result<Vec<u8>> {
    let mut stdin = io::stdin().lock();
    let mut bytes = Vec::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        let waited = poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&PATIENCE));
        if cancel.is_cancelled() {
            return Err(io::Error::other("the verb was given up"));
        }
        if matches!(waited, Ok(0) | Err(rustix::io::Errno::INTR)) {
            continue;
        }
        match stdin.read(&mut piece) {
            Ok(0) => return Ok(bytes),
            Ok(count) => bytes.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use modrack_core::{Param, Type};

    #[test]
    fn words_mean_the_same_where_they_are_sent_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("text"), "[1, 2]").unwrap();
        std::fs::write(path("bytes"), [0, 255]).unwrap();
        let signature = Signature {
            params: vec![
                Param::new("a", Type::Any),
                Param::new("b", Type::Bytes),
                Param::new("c", Type::Text),
            ],
            ..Signature::default()
        };
        let at = |name: &str| format!("@{}", path(name));
        let cases = [
            vec![at("text"), at("bytes")],
            vec![at("bytes"), at("text"), "@@home".to_owned()],
            vec![format!("b={}", at("text")), format!("a={}", at("bytes"))],
            vec![format!("x={}", at("gone"))],
            vec![at("gone")],
            vec!["a=1".to_owned(), "a=2".to_owned()],
        ];
        let cancel = Cancel::default();
        let shown = |got: Result<Arguments>| match got {
            Ok(arguments) => format!("{arguments:?}"),
            Err(error) => format!("{error:?} {:?}", error.place_of()),
        };
        for words in cases {
            let here = arguments::parse(&words, Some(&signature), &mut |path| read(path, &cancel));
            let sent = Words::of(&words, &cancel).to_json().to_string();
            let there = Words::from_json(&serde_json::from_str(&sent).unwrap()).unwrap();
            assert_eq!(shown(there.parse(Some(&signature))), shown(here), "{words:?}");
        }
    }

    #[test]
    fn a_server_reads_no_file_of_its_own() {
        let words = Words::from_json(&json!({ "words": ["@/etc/hostname"] })).unwrap();
        assert_eq!(words.parse(None).unwrap_err().code(), Code::Usage);
        for wrong in [json!({}), json!({ "words": [1] }), json!({ "words": [], "read": { "a": {} } })] {
            assert!(Words::from_json(&wrong).is_none(), "{wrong}");
        }
    }
}
