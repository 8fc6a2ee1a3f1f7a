//! What each source reads, and what it says of bad input.

mod common;

use common::Bench;
use expect_test::{Expect, expect};

/// Reads a CSV text as it is and writes JSON lines, which show types.
fn check_csv(text: impl AsRef<[u8]>, options: &str, expected: &Expect) {
    let text_of = format!("source: {{ csv: a.csv{options} }}\nsink: {{ json: out.jsonl }}");
    let outcome = Bench::new().file("a.csv", text).run(&text_of);
    match &outcome.result {
        Ok(_) => expected.assert_eq(&outcome.text("out.jsonl")),
        Err(_) => {
            assert_eq!(outcome.files(), ["a.csv"], "something is left");
            expected.assert_eq(&outcome.told());
        }
    }
}

#[test]
fn csv_is_read() {
    check_csv(
        "a,b,c,d,e\n1,1.5,x,true,2013-01-01\n,,\"y \"\"z\"\"\",,\n",
        "",
        &expect![[r#"
            {"a":1,"b":1.5,"c":"x","d":true,"e":"2013-01-01"}
            {"a":null,"b":null,"c":"y \"z\"","d":null,"e":null}
        "#]],
    );
    check_csv(
        "\u{feff}time;n\r\n2013-01-01 05:00:00;NA\r\n2013-01-01T10:00:00;3\r\n",
        ", delimiter: \";\", null: [NA]",
        &expect![[r#"
            {"time":"2013-01-01T05:00:00","n":null}
            {"time":"2013-01-01T10:00:00","n":3}
        "#]],
    );
    check_csv(
        "zip,n\n00501,1\n10001,2\n",
        ", types: { n: float }",
        &expect![[r#"
            {"zip":"00501","n":1.0}
            {"zip":"10001","n":2.0}
        "#]],
    );
    check_csv(
        "1,x\n2,y\n",
        ", header: false, columns: [column_2]",
        &expect![[r#"
            {"column_2":"x"}
            {"column_2":"y"}
        "#]],
    );
    check_csv(
        ",a\n0,x\n",
        "",
        &expect![[r#"
        {"column_1":0,"a":"x"}
    "#]],
    );
    check_csv("a,b\n", "", &expect![""]);
    check_csv(
        "a,b\n\"x\ny\",1\n",
        "",
        &expect![[r#"
        {"a":"x\ny","b":1}
    "#]],
    );
}

#[test]
fn bad_csv_says_where_and_what_to_do() {
    check_csv(
        "a,b\n1,2\n3\n",
        "",
        &expect![[r#"
        M0603 a.csv:3
        The row has 1 value where the header has 2
        hint: Values that hold the delimiter must be quoted; `delimiter:` says which it is"#]],
    );
    check_csv(
        "a,b\n1,2\n3,4,5\n",
        "",
        &expect![[r#"
        M0603 a.csv:3
        The row has 3 values where the header has 2
        hint: Values that hold the delimiter must be quoted; `delimiter:` says which it is"#]],
    );
    check_csv(
        "a,b\n1,2\nx,4\n",
        ", infer-rows: 1",
        &expect![[r#"
            M0604 a.csv:3:1 (a)
            Column `a` is int, and here it is `x`
            hint: If it stands for no value, list it: `null: ["", "x"]`"#]],
    );
    check_csv(
        "a,b\n1,2\n1.5,4\n",
        ", infer-rows: 1",
        &expect![[r#"
            M0604 a.csv:3:1 (a)
            Column `a` is int, and here it is `1.5`
            hint: Say its type: `types: { a: float }`, or list the text under `null:`"#]],
    );
    check_csv(
        "a,b\n1,2\n007,4\n",
        ", infer-rows: 1",
        &expect![[r#"
            M0604 a.csv:3:1 (a)
            Column `a` is int, and here it is `007`
            hint: Say its type: `types: { a: text }`, or list the text under `null:`"#]],
    );
    check_csv(
        "a,b\nx,yes\n",
        ", types: { b: bool }",
        &expect![[r#"
            M0604 a.csv:2:3 (b)
            Column `b` is bool, and here it is `yes`
            hint: If it stands for no value, list it: `null: ["", "yes"]`"#]],
    );
    check_csv(
        "",
        "",
        &expect![[r#"
        M0605 a.csv:1
        `a.csv` is empty
        hint: A CSV file has at least a header; leave the file out, or write it again"#]],
    );
    check_csv(
        "\n\n",
        "",
        &expect![[r#"
        M0605 a.csv:1
        `a.csv` is empty
        hint: A CSV file has at least a header; leave the file out, or write it again"#]],
    );
    check_csv(
        "1,2\n3,4\n",
        "",
        &expect![[r#"
        M0605 a.csv:1
        The first line of `a.csv` holds values like `1`, not names
        hint: Say `header: false` if it has no header, or `header: true` if these are the names"#]],
    );
    check_csv(
        "UA,1545\nAA,1141\nUA,12\n",
        "",
        &expect![[r#"
        M0605 a.csv:1
        The first line of `a.csv` holds values like `1545`, not names
        hint: Say `header: false` if it has no header, or `header: true` if these are the names"#]],
    );
    check_csv(
        "a,b\n1,2\na,b\n3,4\n",
        "",
        &expect![[r#"
        M0605 a.csv:3
        The header stands here again
        hint: Remove the line: files were perhaps joined with their headers"#]],
    );
    check_csv(
        "a,b,a\n1,2,3\n",
        "",
        &expect![[r#"
        M0605 a.csv:1:5
        The header of `a.csv` has the column `a` twice
        hint: Give each column a name of its own"#]],
    );
    check_csv(
        "a,b\n1,\"2\n3,4\n",
        "",
        &expect![[r#"
        M0603 a.csv:2
        A quote that is opened here is never closed
        hint: Close it, or double it where a quote is meant: `""`"#]],
    );
    check_csv(
        b"a,b\n1,\xff\n",
        "",
        &expect![[r#"
        M0604 a.csv:2:3 (b)
        A value of column `b` is not UTF-8 text
        hint: Save the file as UTF-8"#]],
    );
    check_csv(
        b"\xff\xfea\0,\0b\0\n\0",
        "",
        &expect![[r#"
        M0605 a.csv:1
        `a.csv` is UTF-16 text, not UTF-8
        hint: Save it as UTF-8: `iconv -f UTF-16 -t UTF-8`"#]],
    );
    check_csv(
        "a,b\n1,2\n",
        ", types: { c: int }",
        &expect![[r#"
            M0614 a.csv
            `a.csv`, of which `types:` speaks, has no column `c`
            hint: Its columns are `a` and `b`"#]],
    );
    check_csv(
        "distance,b\n1,2\n",
        ", columns: [distnce]",
        &expect![[r#"
        M0614 a.csv
        `a.csv` has no column `distnce`
        hint: Did you mean `distance`?"#]],
    );
}

#[test]
fn a_bad_row_costs_no_other_row() {
    let outcome = Bench::new()
        .file("a.csv", b"a,b\n1,2\n3\n4,x\na,b\n5,6\n7,\xff\n8,\"9\n10,11\n".as_slice())
        .run("source: { csv: a.csv, infer-rows: 1 }\nsink: { csv: out/o.csv }\nerrors: { default: quarantine }");
    assert_eq!(outcome.text("out/o.csv"), "a,b\n1,2\n5,6\n10,11\n");
    let summary = outcome.summary();
    assert_eq!((summary.rows_in, summary.rows_out, summary.quarantined, summary.skipped), (8, 3, 5, 0));
    assert_eq!(summary.quarantines, [outcome.root.join("out/p.quarantine.jsonl")]);
    expect![[r#"
        {"raw": "3", "source": "a.csv", "row_number": 2, "line": 3, "stage": "source", "code": "M0603", "kind": "data", "class": null, "message": "The row has 1 value where the header has 2", "column": null}
        {"raw": "4,x", "source": "a.csv", "row_number": 3, "line": 4, "stage": "source", "code": "M0604", "kind": "data", "class": null, "message": "Column `b` is int, and here it is `x`", "column": "b"}
        {"raw": "a,b", "source": "a.csv", "row_number": 4, "line": 5, "stage": "source", "code": "M0605", "kind": "data", "class": null, "message": "The header stands here again", "column": null}
        {"raw_base64": "Nyz/", "source": "a.csv", "row_number": 6, "line": 7, "stage": "source", "code": "M0604", "kind": "data", "class": null, "message": "A value of column `b` is not UTF-8 text", "column": "b"}
        {"raw": "8,\"9", "source": "a.csv", "row_number": 7, "line": 8, "stage": "source", "code": "M0603", "kind": "data", "class": null, "message": "A quote that is opened here is never closed", "column": null}
    "#]].assert_eq(&outcome.text("out/p.quarantine.jsonl"));
}

#[test]
fn files_are_joined_by_name() {
    let bench = || Bench::new().file("d/b.csv", "y,x\n3,c\n").file("d/a.csv", "x,y\na,1\n");
    let outcome = bench().run("source: { csv: d/*.csv }\nsink: { csv: o.csv }");
    assert_eq!(outcome.text("o.csv"), "x,y\na,1\nc,3\n");
    let outcome = bench().run("source: { csv: [d/b.csv, d/a.csv] }\nsink: { csv: o.csv }");
    assert_eq!(outcome.text("o.csv"), "y,x\n3,c\n1,a\n");
    // Types are settled by all of them.
    let outcome = bench().file("d/c.csv", "x,y\ne,1.5\n").run("source: { csv: d/* }\nsink: { csv: o.csv }");
    assert_eq!(outcome.text("o.csv"), "x,y\na,1.0\nc,3.0\ne,1.5\n");
    let outcome = bench().file("d/c.csv", "x,z\ne,5\n").run("source: { csv: d/* }\nsink: { csv: o.csv }");
    expect![[r#"
        M0605 d/c.csv:1
        `d/c.csv` has a column `z` that the files before it lack
        hint: Files of one source have the same columns; name them in sources of their own otherwise"#]]
    .assert_eq(&outcome.told());
}

#[test]
fn packed_files_are_unpacked_by_what_they_are() {
    use std::io::Write;
    let text = b"a\n1\n2\n";
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(&text[..], 0).unwrap();
    for (name, bytes) in [
        ("a.csv.gz", &gzip[..]),
        ("b.csv.zst", &zstd),
        ("c.csv", &gzip),
        ("d.csv", &zstd),
        ("e.csv.gz", text),
    ] {
        let outcome = Bench::new()
            .file(name, bytes)
            .run(&format!("source: {{ csv: {name} }}\nsink: {{ csv: o.csv.gz }}"));
        let mut unpacked = String::new();
        let packed = std::fs::File::open(outcome.root.join("o.csv.gz")).unwrap();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(packed), &mut unpacked).unwrap();
        assert_eq!(unpacked, "a\n1\n2\n", "{name}");
    }
    let cut = &gzip[..gzip.len() - 6];
    let outcome = Bench::new().file("a.csv.gz", cut).run("source: { csv: a.csv.gz }\nsink: { csv: o.csv }");
    assert_eq!(outcome.files(), ["a.csv.gz"]);
    expect![[r#"
        M0606 a.csv.gz
        `a.csv.gz` cannot be unpacked as gzip: unexpected end of file
        hint: The file is damaged or cut short, or `compression:` names another kind than it has"#]]
    .assert_eq(&outcome.told());
}

#[test]
fn what_is_not_there_is_told() {
    let told = |source: &str| {
        Bench::new()
            .file("data/flights.csv", "a\n1\n")
            .run(&format!("source: {{ csv: {source} }}\nsink: {{ csv: o.csv }}"))
            .told()
    };
    expect![[r#"
        M0601 rack.yaml:4:13 (pipelines.p.source)
        There is no file `data/flight.csv` to read
        hint: Did you mean `data/flights.csv`?"#]]
    .assert_eq(&told("data/flight.csv"));
    expect![[r#"
        M0601 rack.yaml:4:13 (pipelines.p.source)
        There is no file `nothing.csv` to read
        hint: Paths are relative to the rack's folder"#]]
    .assert_eq(&told("nothing.csv"));
    expect![[r#"
        M0601 rack.yaml:4:13 (pipelines.p.source)
        No file fits `data/*.tsv`
        hint: `*` stands for any name, `**` for any folders; paths are relative to the rack's folder"#]]
    .assert_eq(&told("\"data/*.tsv\""));
    expect![[r#"
        M0601 rack.yaml:4:13 (pipelines.p.source)
        No file fits `nowhere/*.csv`
        hint: `*` stands for any name, `**` for any folders; paths are relative to the rack's folder"#]]
    .assert_eq(&told("\"nowhere/*.csv\""));
    expect![[r#"
        M0602 data
        `data` cannot be read: is a directory
        hint: Name its files: `data/*`"#]]
    .assert_eq(&told("data"));
}

fn check_json(text: impl AsRef<[u8]>, options: &str, expected: &Expect) {
    let text_of = format!("source: {{ json: a.jsonl{options} }}\nsink: {{ json: out.jsonl }}");
    let outcome = Bench::new().file("a.jsonl", text).run(&text_of);
    match &outcome.result {
        Ok(_) => expected.assert_eq(&outcome.text("out.jsonl")),
        Err(_) => {
            assert_eq!(outcome.files(), ["a.jsonl"], "something is left");
            expected.assert_eq(&outcome.told());
        }
    }
}

#[test]
fn json_lines_are_read() {
    check_json(
        "{\"a\": 1, \"b\": {\"c\": [1, 2.5]}}\n\n{\"b\": {\"c\": [], \"d\": \"x\"}, \"e\": null}\n",
        "",
        &expect![[r#"
            {"a":1,"b":{"c":[1.0,2.5],"d":null},"e":null}
            {"a":null,"b":{"c":[],"d":"x"},"e":null}
        "#]],
    );
    check_json(
        "{\"a\": 1, \"b\": 2}\n{\"b\": 3, \"a\": 4}\n",
        ", columns: [b]",
        &expect![[r#"
        {"b":2}
        {"b":3}
    "#]],
    );
    check_json(
        "{\"a\": 1, \"d\": \"2013-01-01\"}\n",
        ", types: { a: text, d: date }",
        &expect![[r#"
        {"a":"1","d":"2013-01-01"}
    "#]],
    );
    check_json("", "", &expect![]);
    check_json(
        "{\"a\": 1}\n{\"a\": 1.5}\n",
        ", infer-rows: 1",
        &expect![[r#"
        M0604 a.jsonl:2 (a)
        Column `a` is int, and here it is `1.5`
        hint: The first rows settle the columns; look at more with `infer-rows:`, or say `types: { a: ... }`"#]],
    );
    check_json(
        "{\"a\": 1}\n{\"a\": \"x\"}\n",
        "",
        &expect![[r#"
        M0604 a.jsonl:2 (a)
        Column `a` is int, and here it is text `x`
        hint: The first rows settle the columns; look at more with `infer-rows:`, or say `types: { a: ... }`"#]],
    );
    check_json(
        "{\"a\": 1}\n{\"b\": 1}\n",
        ", infer-rows: 1",
        &expect![[r#"
        M0604 a.jsonl:2 (b)
        The row has a column `b` that the settled columns lack
        hint: The first rows settle the columns; look at more with `infer-rows:`, or say `types: { b: ... }`"#]],
    );
    check_json(
        "{\"a\": 123456789012345678901}\n",
        "",
        &expect![[r#"
        M0604 a.jsonl:1:7
        The number `123456789012345678901` does not fit into 64 bits
        hint: Write it as text, in quotes"#]],
    );
    check_json(
        "{\"a\": 1}\n{\"a\": \n",
        "",
        &expect![[r#"
        M0606 a.jsonl:2:7
        `a.jsonl` is not a whole JSON lines file: line 2: the text ends where a value should be
        hint: Each line is one whole JSON object"#]],
    );
    check_json(
        "[{\"a\": 1}]\n",
        "",
        &expect![[r#"
        M0606 a.jsonl
        `a.jsonl` is not a whole JSON lines file: it is one list
        hint: A JSON source has one object on each line; `jq -c '.[]'` makes that of a list, `jq -c .` of objects"#]],
    );
    check_json(
        "{\n\"a\": 1}\n",
        "",
        &expect![[r#"
        M0606 a.jsonl
        `a.jsonl` is not a whole JSON lines file: its first object goes over several lines
        hint: A JSON source has one object on each line; `jq -c '.[]'` makes that of a list, `jq -c .` of objects"#]],
    );
    check_json(
        "{\"a\": 1}\n5\n",
        "",
        &expect![[r#"
        M0604 a.jsonl:2
        The line is `5`, not an object
        hint: Each line is an object: `{"name": value, ...}`"#]],
    );
    check_json(
        b"{\"a\": 1}\n{\"a\": \"\xff\"}\n",
        "",
        &expect![[r#"
        M0604 a.jsonl:2
        The line is not UTF-8 text
        hint: Save the file as UTF-8"#]],
    );
}

#[test]
fn text_is_lines() {
    let outcome = Bench::new()
        .file("a.txt", b"x\r\n\ny \xff\nz".as_slice())
        .run("source: { text: a.txt }\nsink: { text: o.txt }\nerrors: { default: quarantine }");
    assert_eq!(outcome.text("o.txt"), "x\n\nz\n");
    expect![[r#"
        {"raw_base64": "eSD/", "source": "a.txt", "row_number": 3, "line": 3, "stage": "source", "code": "M0604", "kind": "data", "class": null, "message": "The line is not UTF-8 text", "column": null}
    "#]].assert_eq(&outcome.text("p.quarantine.jsonl"));
}

#[test]
fn binary_formats_come_back_as_they_were() {
    let csv = "a,b,c,d\n1,1.5,x,2013-01-01T05:00:00\n,,,\n";
    for (format, name) in [("parquet", "t.parquet"), ("arrow", "t.arrow"), ("json", "t.jsonl")] {
        for packed in ["", ", compression: zstd"] {
            let first = Bench::new()
                .file("a.csv", csv)
                .run(&format!("source: {{ csv: a.csv }}\nsink: {{ {format}: {name}{packed} }}"));
            let bytes = std::fs::read(first.root.join(name)).unwrap();
            let types = if format == "json" { ", types: { d: timestamp }" } else { "" };
            let second = Bench::new()
                .file(name, &bytes)
                .run(&format!("source: {{ {format}: {name}{types} }}\nsink: {{ csv: o.csv }}"));
            assert_eq!(second.text("o.csv"), csv, "{format}{packed}");
            let output = common::Shared::default();
            // The standard streams carry every format, those that are read from their end too.
            let third = Bench::new()
                .stdin(std::io::Cursor::new(bytes))
                .stdout(output.clone())
                .run(&format!("source: {{ stdin: {format}{types} }}\nsink: {{ stdout: csv }}"));
            assert!(third.result.is_ok(), "{:?}", third.result);
            assert_eq!(String::from_utf8(output.0.lock().unwrap().clone()).unwrap(), csv);
        }
    }
    // A stream of Arrow, as the standard output has it, is read from a file too.
    let output = common::Shared::default();
    let first = Bench::new()
        .file("a.csv", csv)
        .stdout(output.clone())
        .run("source: { csv: a.csv }\nsink: { stdout: arrow }");
    assert_eq!(first.files(), ["a.csv"]);
    let bytes = output.0.lock().unwrap().clone();
    let second = Bench::new()
        .file("s.arrow", &bytes)
        .run("source: { arrow: s.arrow, columns: [c, a] }\nsink: { csv: o.csv }");
    assert_eq!(second.text("o.csv"), "c,a\nx,1\n,\n");
}

#[test]
fn a_file_cut_short_is_told() {
    let rows: String = (0..2000).map(|i| format!("{i},text number {i}\n")).collect();
    for (format, name) in [("parquet", "t.parquet"), ("arrow", "t.arrow")] {
        let first = Bench::new()
            .file("a.csv", format!("a,b\n{rows}"))
            .run(&format!("source: {{ csv: a.csv }}\nsink: {{ {format}: {name} }}"));
        let bytes = std::fs::read(first.root.join(name)).unwrap();
        for cut in [0, 3, 40, bytes.len() / 2, bytes.len() - 1] {
            let outcome = Bench::new()
                .file(name, &bytes[..cut])
                .run(&format!("source: {{ {format}: {name} }}\nsink: {{ csv: o.csv }}"));
            let error = outcome.error();
            assert_eq!(error.code().as_str(), "M0606", "{format} cut at {cut}: {error:?}");
            assert_eq!(error.place_of().unwrap().file.to_str(), Some(name));
            assert!(error.hint_text().unwrap().contains("cut short"));
            assert_eq!(outcome.files(), [name]);
        }
    }
    let outcome = Bench::new()
        .file("t.parquet", "a,b\n1,2\n")
        .run("source: { parquet: t.parquet }\nsink: { csv: o.csv }");
    expect![[r#"
        M0606 t.parquet
        `t.parquet` is not a whole Parquet file: invalid Parquet file. Corrupt footer
        hint: It was cut short or damaged, or it is of another format; fetch or write it again"#]]
    .assert_eq(&outcome.told());
}

#[test]
fn a_damaged_file_takes_nothing_along() {
    let rows: String = (0..200).map(|i| format!("{i},text number {i}\n")).collect();
    for (format, name) in [("parquet", "t.parquet"), ("arrow", "t.arrow")] {
        let first = Bench::new()
            .file("a.csv", format!("a,b\n{rows}"))
            .run(&format!("source: {{ csv: a.csv }}\nsink: {{ {format}: {name} }}"));
        let whole = std::fs::read(first.root.join(name)).unwrap();
        for at in (0..whole.len()).step_by(whole.len() / 60) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x41;
            let outcome = Bench::new()
                .file(name, &bytes)
                .run(&format!("source: {{ {format}: {name} }}\nsink: {{ csv: o.csv }}"));
            // Not every byte tells, but none may be taken for a mistake of ours.
            if let Err(error) = &outcome.result {
                let code = error.code().as_str();
                assert!(["M0604", "M0606", "M0613"].contains(&code), "{format} at {at}: {error:?}");
                assert_eq!(outcome.files(), [name]);
            }
        }
    }
}

#[test]
fn parquet_files_fit_together_or_say_so() {
    let make = |csv: &str| {
        let first =
            Bench::new().file("a.csv", csv).run("source: { csv: a.csv }\nsink: { parquet: t.parquet }");
        std::fs::read(first.root.join("t.parquet")).unwrap()
    };
    let run = |second: &str| {
        Bench::new()
            .file("1.parquet", make("a,b\n1.5,x\n"))
            .file("2.parquet", make(second))
            .run("source: { parquet: \"*.parquet\" }\nsink: { csv: o.csv }")
    };
    assert_eq!(run("b,a\ny,2\n").text("o.csv"), "a,b\n1.5,x\n2.0,y\n");
    expect![[r#"
        M0607 2.parquet
        Column `a` was float, and now it is text
        hint: Files of one source have the same columns; name them in sources of their own otherwise"#]]
    .assert_eq(&run("b,a\ny,z\n").told());
    expect![[r#"
        M0607 2.parquet
        The rows have a column `c` that the settled columns lack
        hint: Files of one source have the same columns; name them in sources of their own otherwise"#]]
    .assert_eq(&run("b,a,c\ny,2,3\n").told());
}
