//! What was probably meant by a word that nobody knows.
//!
//! One rule for every did-you-mean of modrack, so that the same mistake gets the same answer everywhere.

/// The known word that was probably meant: one letter in three may be wrong, case does not count.
pub fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word = word.to_lowercase();
    let letters = word.chars().count();
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(wrong, candidate)| *wrong <= candidate.chars().count().max(letters) / 3)
        .min_by_key(|(wrong, _)| *wrong)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_by_most_of_its_letters() {
        for (word, meant) in [
            ("parms", Some("params")),
            ("PARAMS", Some("params")),
            ("ues", Some("use")),
            ("transfrom", Some("transform")),
            ("x", None),
            ("a", None),
            ("something", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, ["use", "params", "b", "transform"]), meant, "{word:?}");
        }
    }
}
