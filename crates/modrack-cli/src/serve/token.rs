//! The token of a server: who can read the state folder may change the rack.
//!
//! It is made anew at each start and compared in constant time; it is never printed.

use std::fmt;

use modrack_core::{Code, Error, Result};

/// A secret that a request shows.
#[derive(Clone)]
pub(crate) struct Token {
    text: String,
    hash: blake3::Hash,
}

impl Token {
    /// A new one, of 256 random bits.
    ///
    /// # Errors
    /// A system that gives no random bytes.
    pub(crate) fn new() -> Result<Self> {
        let mut bytes = [0; 32];
        let mut filled = 0;
        while filled < bytes.len() {
            let flags = rustix::rand::GetRandomFlags::empty();
            match rustix::rand::getrandom(&mut bytes[filled..], flags) {
                Ok(count) => filled += count,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => {
                    let message = format!("The system gives no random bytes for a token: {error}");
                    return Err(Error::new(Code::Internal, message));
                }
            }
        }
        Ok(Self::of(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    fn of(text: String) -> Self {
        Self { hash: blake3::hash(text.as_bytes()), text }
    }

    /// The token as it is shown.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether `shown` is this one. How long that takes says nothing of either: hashes are compared, and those in constant time.
    pub(crate) fn is(&self, shown: &[u8]) -> bool {
        blake3::hash(shown) == self.hash
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_itself_and_no_other() {
        let (one, other) = (Token::new().unwrap(), Token::new().unwrap());
        assert_eq!(one.text().len(), 64);
        assert!(one.is(one.text().as_bytes()));
        for shown in [other.text(), "", &one.text()[1..], &format!("{}0", one.text())] {
            assert!(!one.is(shown.as_bytes()));
        }
        assert_eq!(format!("{one:?}"), "Token");
    }
}
