//! Words that do not belong in the tree: paths of somebody's machine, and notes to oneself.

use super::{Complaint, TextFile};

/// Each word, put together so that this file does not hold it, and why it does not belong.
const WORDS: &[(&str, &str)] = &[
    (concat!("/ro", "ot/"), "a path of one machine"),
    (concat!("/ho", "me/"), "a path of one machine"),
    (concat!("/wo", "rk/"), "a path of one machine"),
    (concat!("TO", "DO"), "finish it, or file an issue"),
    (concat!("FIX", "ME"), "finish it, or file an issue"),
    (concat!("XX", "X"), "finish it, or file an issue"),
    (concat!("todo", "!("), "finish it, or file an issue"),
    (concat!("unimple", "mented!("), "finish it, or file an issue"),
];

/// Looks for the words.
pub(super) fn check(files: &[TextFile]) -> Vec<Complaint> {
    files.iter().filter(|file| is_written(file)).flat_map(of_file).collect()
}

/// Whether people write the file: data and lock files hold what they hold.
fn is_written(file: &TextFile) -> bool {
    let data = ["lock", "csv", "json", "jsonl", "txt", "svg"];
    !data.contains(&file.ending())
}

fn of_file(file: &TextFile) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    for (number, line) in file.text.lines().enumerate() {
        for (word, why) in WORDS {
            if line.contains(word) {
                complaints.push(Complaint::line(&file.path, number + 1, format!("`{word}`: {why}")));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_with_its_line() {
        let text = concat!("fine\n# TO", "DO: more\n").to_owned();
        let found = of_file(&TextFile { path: "x.py".into(), text });
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, Some(2));
    }
}
