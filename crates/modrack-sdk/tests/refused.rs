//! What the macros refuse, and in which words: each file of `refused/` is one mistake of a beginner.

#[test]
fn mistakes_are_told_in_words_of_the_author() {
    trybuild::TestCases::new().compile_fail("tests/refused/*.rs");
}
