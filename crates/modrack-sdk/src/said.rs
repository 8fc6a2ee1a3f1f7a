//! Texts joined at compile time: what a module says of itself is put together of what its parts say.

/// How long texts are together.
pub const fn length(texts: &[&str]) -> usize {
    let mut sum = 0;
    let mut at = 0;
    while at < texts.len() {
        sum += texts[at].len();
        at += 1;
    }
    sum
}

/// Texts, one after the other.
///
/// # Panics
/// When they are not `N` bytes together: at compile time, where this is used.
pub const fn joined<const N: usize>(texts: &[&str]) -> [u8; N] {
    let mut bytes = [0; N];
    let mut end = 0;
    let mut at = 0;
    while at < texts.len() {
        let text = texts[at].as_bytes();
        let mut from = 0;
        while from < text.len() {
            bytes[end] = text[from];
            end += 1;
            from += 1;
        }
        at += 1;
    }
    assert!(end == N, "the length is that of the texts");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_joined_at_compile_time() {
        const TEXTS: &[&str] = &["name = ", "", "\"a\""];
        const JOINED: [u8; length(TEXTS)] = joined(TEXTS);
        assert_eq!(&JOINED, b"name = \"a\"");
    }
}
