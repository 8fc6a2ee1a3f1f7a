//! Links the interpreter that `python3` (or `PYO3_PYTHON`) names, when the program embeds one.
//!
//! PyO3 does this by itself; here the setting that the workspace above has for its extension module keeps it from it.

use std::process::Command;

const ASK: &str =
    "import sysconfig as s; print(s.get_config_var('LIBDIR')); print(s.get_config_var('LDVERSION'))";

fn main() {
    println!("cargo:rerun-if-env-changed=PYO3_PYTHON");
    if std::env::var_os("CARGO_FEATURE_PYTHON").is_none() {
        return;
    }
    let python = std::env::var("PYO3_PYTHON").unwrap_or_else(|_| "python3".into());
    let answer =
        Command::new(&python).args(["-c", ASK]).output().expect("asking the interpreter for its library");
    let answer = String::from_utf8(answer.stdout).expect("the interpreter's answer is text");
    let mut lines = answer.lines();
    if let (Some(folder), Some(version)) = (lines.next(), lines.next()) {
        for arg in [format!("-L{folder}"), format!("-lpython{version}"), format!("-Wl,-rpath,{folder}")] {
            println!("cargo:rustc-link-arg={arg}");
        }
    }
}
