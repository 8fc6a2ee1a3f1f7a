//! What `check` says of a pipeline without running it, and which files a pattern names.

mod common;

use common::{Bench, told};
use expect_test::{Expect, expect};
use modrack_core::plan::ColumnType;
use modrack_core::{Takes, Value};

fn check(mut bench: Bench, text: &str, expected: &Expect) {
    let (rack, pipeline) = bench.open(text);
    let told: Vec<_> =
        modrack_flow::check(&rack, &pipeline).iter().map(|error| told(error, bench.root())).collect();
    expected.assert_eq(&told.join("\n\n"));
}

fn bench() -> Bench {
    Bench::new().file("a.csv", "name,n\na,1\n")
}

const TEXT: &str = "source: { csv: a.csv }\nsink: { csv: out/deep/o.csv }";

fn stage(bench: Bench, name: &str) -> Bench {
    bench.stage(name, Takes::Row, |_| -> modrack_core::Result<Value> { panic!("checking runs nothing") })
}

#[test]
fn a_sound_pipeline_has_nothing_to_be_told() {
    check(stage(bench(), "s"), TEXT, &expect![""]);
    check(bench(), "source: { stdin: csv }\nsink: { stdout: json }", &expect![""]);
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let bench = bench();
    let bench = stage(bench, "a").but(|stage| {
        stage.takes = Some(Takes::Column);
        stage.column = Some("m".into());
    });
    let bench = stage(bench, "b").but(|stage| {
        stage.takes = Some(Takes::Column);
        stage.batch = Some(0);
        stage.schema = Some([("x".to_owned(), ColumnType::Int)].into_iter().collect());
    });
    let bench = stage(bench, "c").but(|stage| stage.column = Some("y".into()));
    let bench = bench.uses("nowhere", |_| {});
    let bench = stage(bench, "d").but(|stage| stage.function = Some("transfrom".into()));
    check(
        bench,
        "source: { csv: a.csv }\nsink: { csv: a.csv/o.csv }",
        &expect![[r#"
        M0112 nowhere
        Stage `b` takes a column, and does not say which
        hint: Name it: `column: NAME`

        M0112 nowhere
        Stage `b` has batches of no rows
        hint: Write a number above 0

        M0614 nowhere
        What comes to stage `a` has no column `m`
        hint: Its columns are `name` and `n`

        M0614 nowhere
        What comes to stage `c` has no column `y`
        hint: Its columns are `x`

        M0106 nowhere
        There is no slot `nowhere`
        hint: The rack has `a`, `b`, `c` and `d`

        M0501 nowhere
        `d` has no function `transfrom`
        hint: Did you mean `transform`?

        M0608 a.csv/o.csv
        `a.csv/o.csv` cannot be written: not a directory
        hint: A part of its path is a file, not a folder"#]],
    );
}

#[test]
fn a_source_that_is_not_sound_is_told() {
    check(
        bench(),
        "source: { csv: b.csv }\nsink: { csv: o.csv }",
        &expect![[r#"
        M0601 rack.yaml:4:13 (pipelines.p.source)
        There is no file `b.csv` to read
        hint: Did you mean `a.csv`?"#]],
    );
    check(
        bench().file("a.csv", "1,2\n"),
        TEXT,
        &expect![[r#"
        M0605 a.csv:1
        The first line of `a.csv` holds values like `1`, not names
        hint: Say `header: false` if it has no header, or `header: true` if these are the names"#]],
    );
    check(
        bench(),
        "source: { csv: a.csv }\nsink: { csv: a.csv }",
        &expect![[r#"
        M0112 rack.yaml:5:11 (pipelines.p.sink)
        Pipeline `p` reads `a.csv` and writes it too
        hint: Name another file for the sink; a pattern of the source may fit it"#]],
    );
}

#[test]
#[cfg(target_os = "linux")]
fn a_sink_that_cannot_be_made_is_told() {
    for (sink, said) in [
        ("/proc/nowhere/o.csv", "M0608: `/proc/nowhere/o.csv` cannot be written: permission denied"),
        ("/sys/o.csv", "M0608: `/sys/o.csv` cannot be written: permission denied"),
        ("dangling/o.csv", "M0608: `dangling/o.csv` cannot be written: not a directory"),
        ("made/a/b/o.csv", ""),
        ("/dev/null", ""),
    ] {
        let mut bench = bench();
        std::os::unix::fs::symlink("nowhere", bench.root().join("dangling")).unwrap();
        let (rack, pipeline) = bench.open(&format!("source: {{ csv: a.csv }}\nsink: {{ csv: {sink} }}"));
        let told: Vec<_> = modrack_flow::check(&rack, &pipeline)
            .iter()
            .map(|error| format!("{}: {}", error.code(), error.message()))
            .collect();
        assert_eq!(told.join("\n"), said);
    }
}

#[test]
fn a_pattern_names_what_a_shell_would() {
    let names = |pattern: &str| {
        let bench = ["x.csv", "y.csv", ".x.csv.part", ".h.csv", "d/z.csv", "d/e/w.csv", ".g/v.csv", "u.txt"]
            .iter()
            .fold(Bench::new(), |bench, name| bench.file(name, format!("name\n{name}\n")));
        let outcome = bench.run(&format!("source: {{ csv: {pattern} }}\nsink: {{ text: o.out }}"));
        match &outcome.result {
            Ok(_) => outcome.text("o.out").split_whitespace().collect::<Vec<_>>().join(" "),
            Err(error) => error.code().to_string(),
        }
    };
    assert_eq!(names("\"*.csv\""), "x.csv y.csv");
    assert_eq!(names("\"**/*.csv\""), "d/e/w.csv d/z.csv x.csv y.csv");
    assert_eq!(names("\"d/*.csv\""), "d/z.csv");
    assert_eq!(names("\"*/*.csv\""), "d/z.csv");
    assert_eq!(names("\".*.csv\""), ".h.csv");
    assert_eq!(names("\"{x,y}.csv\""), "x.csv y.csv");
    assert_eq!(names("\"[xz].csv\""), "x.csv");
    assert_eq!(names("[y.csv, \"*.csv\"]"), "y.csv x.csv");
    assert_eq!(names("\"[.csv\""), "M0112");
}
