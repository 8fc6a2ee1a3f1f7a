//! Counting tests: what passed, failed and was skipped, as each runner says it in its closing line.

use std::fmt;
use std::ops::AddAssign;

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// Tests that held.
    pub(crate) passed: u64,
    /// Tests that did not.
    pub(crate) failed: u64,
    /// Tests that could not be run here, or were not meant to be.
    pub(crate) skipped: u64,
}

/// Who ran the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runner {
    /// `cargo nextest run`.
    Nextest,
    /// `cargo test`.
    Cargo,
    /// pytest.
    Pytest,
    /// A tool that holds or does not hold as a whole.
    Whole,
}

impl Count {
    /// Reads what a runner printed. A runner that failed without a failed test counts as one failure.
    pub(crate) fn read(runner: Runner, printed: &str, succeeded: bool) -> Self {
        let mut count = Self::default();
        for line in printed.lines().filter(|line| runner.closes_with(line)) {
            count += Self::of_line(line);
        }
        if runner == Runner::Whole && succeeded {
            count.passed = 1;
        }
        if !succeeded && count.failed == 0 {
            count.failed = 1;
        }
        count
    }

    /// One test that could not be run.
    pub(crate) fn skipped() -> Self {
        Self { skipped: 1, ..Self::default() }
    }

    /// The numbers that stand before the words of `line`.
    fn of_line(line: &str) -> Self {
        let mut count = Self::default();
        let words: Vec<&str> =
            line.split([' ', ',', ';', '=', '.']).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            let Ok(number) = pair[0].parse::<u64>() else { continue };
            match pair[1] {
                "passed" | "xfailed" => count.passed += number,
                "failed" | "error" | "errors" | "xpassed" | "timed" | "exec" => count.failed += number,
                "skipped" | "ignored" => count.skipped += number,
                _ => {}
            }
        }
        count
    }
}

impl Runner {
    fn closes_with(self, line: &str) -> bool {
        let line = line.trim();
        match self {
            Self::Nextest => line.starts_with("Summary ["),
            Self::Cargo => line.starts_with("test result:"),
            Self::Pytest => {
                let timed = line.trim_end_matches('=').trim_end().trim_end_matches(')').ends_with('s')
                    || line.contains("s (0:");
                timed && line.contains(" in ") && line.trim_start_matches('=').trim().starts_with(is_digit)
            }
            Self::Whole => false,
        }
    }
}

impl AddAssign for Count {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(runner: Runner, printed: &str, succeeded: bool, count: &str) {
        assert_eq!(Count::read(runner, printed, succeeded).to_string(), count, "{printed}");
    }

    #[test]
    fn each_runner_is_read() {
        let nextest = "     Summary [   1.2s] 5 tests run: 3 passed (1 slow), 2 failed, 1 skipped";
        check(Runner::Nextest, nextest, false, "3 passed, 2 failed, 1 skipped");
        let cargo = "test result: ok. 5 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.1s\n\
                     test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.1s";
        check(Runner::Cargo, cargo, true, "6 passed, 0 failed, 2 skipped");
        check(Runner::Pytest, "5 passed, 1 skipped in 0.12s", true, "5 passed, 0 failed, 1 skipped");
        check(
            Runner::Pytest,
            "== 1 failed, 5 passed in 62.1s (0:01:02) ==",
            false,
            "5 passed, 1 failed, 0 skipped",
        );
        check(Runner::Pytest, "2 errors in 0.12s", false, "0 passed, 2 failed, 0 skipped");
        check(Runner::Pytest, "a line of 3 passed in a test", true, "0 passed, 0 failed, 0 skipped");
        check(Runner::Whole, "7 passed", true, "1 passed, 0 failed, 0 skipped");
    }

    #[test]
    fn a_runner_that_fails_counts_even_when_it_says_no_number() {
        check(Runner::Nextest, "error: could not compile", false, "0 passed, 1 failed, 0 skipped");
        check(Runner::Whole, "", false, "0 passed, 1 failed, 0 skipped");
    }
}
