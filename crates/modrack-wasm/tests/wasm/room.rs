//! Components where the system gives little address space.

use std::process::Command;

use modrack_core::Value;

use crate::guests::{ECHO, call, started};

/// Set for the process that has little.
const CHILD: &str = "MODRACK_TEST_LITTLE_ROOM";

#[test]
fn a_component_runs_where_address_space_is_short() {
    if std::env::var_os(CHILD).is_some() {
        rustix::process::setrlimit(
            rustix::process::Resource::As,
            rustix::process::Rlimit { current: Some(2 << 30), maximum: Some(2 << 30) },
        )
        .expect("a limit");
        let same = r#"(func (export "same") (param "it" string) (result string)
            (canon lift (core func $i "echo") (memory $memory) (realloc $realloc)))"#;
        let text = Value::from("x".repeat(1 << 20));
        let got = call(&started(&[ECHO, same]), "same", std::slice::from_ref(&text));
        assert_eq!(got.expect("text"), text);
        return;
    }
    let this = std::env::current_exe().expect("a program");
    let name = "room::a_component_runs_where_address_space_is_short";
    let done =
        Command::new(this).args([name, "--exact", "--nocapture"]).env(CHILD, "1").output().expect("a child");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}
