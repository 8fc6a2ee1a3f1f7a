//! Versions as Python writes them (PEP 440), taken as the semantic versions that a catalog compares.

use semver::{BuildMetadata, Prerelease, Version};

/// Reads `1`, `1.2`, `v1.2.3`, `1.2rc1`, `1.2.3.post4`, `1.2.dev5`, and every semantic version.
///
/// Missing parts are 0. Parts after the third, `post` and local parts become build metadata.
pub fn parse(text: &str) -> Option<Version> {
    let text = text.trim();
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    if text.len() > 100 {
        return None;
    }
    if let Ok(version) = Version::parse(text) {
        return Some(version);
    }
    let text = text.split_once('!').map_or(text, |(_, rest)| rest).to_ascii_lowercase();
    let (public, local) = text.split_once('+').map_or((text.as_str(), None), |(p, l)| (p, Some(l)));
    let (numbers, mut rest) = release(public)?;
    let mut version = Version::new(numbers[0], *numbers.get(1).unwrap_or(&0), *numbers.get(2).unwrap_or(&0));
    let mut pre = Vec::new();
    let mut build: Vec<String> = numbers.iter().skip(3).map(u64::to_string).collect();
    while !rest.is_empty() {
        let (word, number, after) = segment(rest)?;
        match word {
            "a" | "alpha" => pre.push(format!("alpha.{number}")),
            "b" | "beta" => pre.push(format!("beta.{number}")),
            "rc" | "c" | "pre" | "preview" => pre.push(format!("rc.{number}")),
            "dev" => pre.push(format!("dev.{number}")),
            "post" | "rev" | "r" | "" => build.push(format!("post.{number}")),
            _ => return None,
        }
        rest = after;
    }
    if let Some(local) = local {
        build.push(local.replace('_', "-"));
    }
    version.pre = Prerelease::new(&pre.join(".")).ok()?;
    version.build = BuildMetadata::new(&build.join(".")).ok()?;
    Some(version)
}

/// The numbers that a version begins with, and what follows them.
fn release(text: &str) -> Option<(Vec<u64>, &str)> {
    let mut numbers = Vec::new();
    let mut rest = text;
    loop {
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        numbers.push(rest[..end].parse().ok()?);
        rest = &rest[end..];
        match rest.strip_prefix('.') {
            Some(after) if after.starts_with(|c: char| c.is_ascii_digit()) => rest = after,
            _ => return Some((numbers, rest)),
        }
    }
}

/// One part like `rc1`, `.post2`, `-dev3`: its word, its number, and what follows.
fn segment(text: &str) -> Option<(&str, u64, &str)> {
    let text = text.strip_prefix(['.', '-', '_']).unwrap_or(text);
    let end = text.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let rest = rest.strip_prefix(['.', '-', '_']).unwrap_or(rest);
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, rest) = rest.split_at(end);
    if word.is_empty() && digits.is_empty() {
        return None;
    }
    let number = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    Some((word, number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_python_are_semantic_versions() {
        for (text, shown) in [
            ("1", "1.0.0"),
            ("1.2", "1.2.0"),
            ("v1.2.3", "1.2.3"),
            ("1.2.3-beta.1", "1.2.3-beta.1"),
            ("1.2rc1", "1.2.0-rc.1"),
            ("2.0a", "2.0.0-alpha.0"),
            ("1.2.3.4", "1.2.3+4"),
            ("1.0.post2", "1.0.0+post.2"),
            ("1.0.dev5", "1.0.0-dev.5"),
            ("1!2.0", "2.0.0"),
            ("1.0+ubuntu.1", "1.0.0+ubuntu.1"),
            ("2024.1", "2024.1.0"),
            ("banana", "none"),
            ("1.x", "none"),
            ("", "none"),
        ] {
            assert_eq!(parse(text).map_or("none".to_owned(), |v| v.to_string()), shown, "{text:?}");
        }
    }
}
