//! Whole commands that need no Python: exit status, standard output and standard error, as golden text.
//!
//! Each test says the files it starts from and the words it runs; folders are written as `[HERE]`. Commands
//! that start modules are tested from pytest, in every interpreter that is there.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails, and its helpers too")]

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use expect_test::{Expect, expect};
use tempfile::TempDir;

const UPPER: &str = r#""""Text, in capitals."""

__version__ = "1.2.0"


class Upper:
    """Makes text loud."""

    def __init__(self, column: str = "text") -> None:
        self.column = column

    def transform(self, row: dict) -> dict:
        """Takes one row and gives it back."""
        row[self.column] = row[self.column].upper()
        return row
"#;

const RACK: &str = "rack: 1
catalog: [ ./modules ]
slots:
  upper: { use: ./modules/upper.py:Upper, params: { column: name }, contract: transform@1 }
pipelines:
  names:
    source: { csv: names.csv }
    stages: [ upper ]
    sink: { csv: out.csv }
  copy:
    source: { csv: names.csv }
    sink: { csv: out.csv }
";

/// A folder with these files, and nothing of the user's in the environment.
struct Here {
    folder: TempDir,
}

impl Here {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self { folder }
    }

    fn shop() -> Self {
        Self::new(&[("rack.yaml", RACK), ("modules/upper.py", UPPER), ("names.csv", "name\nada\ngrace\n")])
    }

    fn path(&self) -> PathBuf {
        fs::canonicalize(self.folder.path()).unwrap()
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_modrack"));
        command
            .args(words)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", "/nowhere")
            .env("HOME", self.path());
        command.stdin(Stdio::null());
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// Runs the command and compares what it shows.
    fn check_cli(&self, words: &[&str], expected: &Expect) {
        expected.assert_eq(&shown(&self.run(words), &self.path()));
    }
}

fn shown(output: &Output, here: &Path) -> String {
    let mut text = format!("exit status {}\n", output.status.code().unwrap());
    for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        if !bytes.is_empty() {
            let said = String::from_utf8_lossy(bytes).replace(&*here.to_string_lossy(), "[HERE]");
            text.push_str(&format!("--- {name}\n{said}"));
        }
    }
    text
}

#[test]
fn a_verb_that_is_not_known_is_a_usage_error() {
    Here::new(&[]).check_cli(
        &["lsit"],
        &expect![[r#"
        exit status 2
        --- stderr
        error[M0116]: There is no verb `lsit`
          hint: A similar verb exists: `list`
                Usage: modrack [OPTIONS] <VERB>
                `modrack --help` says which verbs there are
    "#]],
    );
}

#[test]
fn an_argument_that_is_missing_is_a_usage_error() {
    Here::new(&[]).check_cli(
        &["call", "upper"],
        &expect![[r#"
        exit status 2
        --- stderr
        error[M0116]: The following required arguments were not provided: <FUNCTION>
          hint: Usage: modrack call <SLOT> <FUNCTION> [ARG]...
    "#]],
    );
    Here::new(&[]).check_cli(&["--json", "call", "upper"], &expect![[r#"
        exit status 2
        --- stdout
        {"error":{"code":"M0116","kind":"config","message":"The following required arguments were not provided: <FUNCTION>","slot":null,"module":null,"generation":null,"phase":null,"place":null,"classes":[],"causes":[],"traceback":null,"hint":"Usage: modrack call <SLOT> <FUNCTION> [ARG]..."},"errors":[{"code":"M0116","kind":"config","message":"The following required arguments were not provided: <FUNCTION>","slot":null,"module":null,"generation":null,"phase":null,"place":null,"classes":[],"causes":[],"traceback":null,"hint":"Usage: modrack call <SLOT> <FUNCTION> [ARG]..."}]}
    "#]]);
}

#[test]
fn a_rack_that_is_not_there_says_how_to_make_one() {
    Here::new(&[]).check_cli(
        &["list"],
        &expect![[r#"
        exit status 2
        --- stderr
        error[M0113]: There is no `rack.yaml` here or in a folder above
          hint: Make a rack with `modrack new rack NAME`, or name one with `-r RACK`
    "#]],
    );
    Here::new(&[]).check_cli(
        &["-r", "gone.yaml", "list"],
        &expect![[r#"
        exit status 2
        --- stderr
        error[M0113]: There is no rack `gone.yaml`
          hint: Name a file, or a folder that has a `rack.yaml`, `rack.toml` or `rack.json`
    "#]],
    );
}

#[test]
fn list_shows_slots_and_catalog() {
    let here = Here::shop();
    here.check_cli(
        &["list"],
        &expect![[r#"
        exit status 0
        --- stdout
        SLOT   BACKEND  USE                       CONTRACT
        upper  python   ./modules/upper.py:Upper  transform

        MODULE  BACKEND  FROM              VERSION
        upper   python   modules/upper.py  1.2.0
    "#]],
    );
    here.check_cli(
        &["list", "--long"],
        &expect![[r#"
        exit status 0
        --- stdout
        SLOT   BACKEND  USE                       VERSION  CONTRACT         FUNCTIONS
        upper  python   ./modules/upper.py:Upper  1.2.0    transform@1.0.0  transform

        MODULE  BACKEND  FROM              VERSION  ABOUT
        upper   python   modules/upper.py  1.2.0    Makes text loud.
    "#]],
    );
    here.check_cli(&["list", "--json"], &expect![[r#"
        exit status 0
        --- stdout
        {"slots":[{"slot":"upper","backend":"python","use":"./modules/upper.py:Upper","contract":"transform"}],"catalog":[{"module":"upper","version":"1.2.0","backend":"python","from":"modules/upper.py","about":"Makes text loud.","error":null}],"pipelines":["names","copy"]}
    "#]]);
}

#[test]
fn a_rack_is_found_from_a_folder_below() {
    let here = Here::shop();
    let output = here.command(&["list"]).current_dir(here.path().join("modules")).output().unwrap();
    expect![[r#"
        exit status 0
        --- stdout
        SLOT   BACKEND  USE                       CONTRACT
        upper  python   ./modules/upper.py:Upper  transform

        MODULE  BACKEND  FROM      VERSION
        upper   python   upper.py  1.2.0
    "#]]
    .assert_eq(&shown(&output, &here.path()));
}

#[test]
fn inspect_shows_a_module_without_running_it() {
    let here = Here::shop();
    here.check_cli(
        &["inspect", "upper"],
        &expect![[r#"
            exit status 0
            --- stdout
            upper  ./modules/upper.py:Upper
              Makes text loud.

              module      modules/upper.py:Upper
              backend     python
              entry       class Upper
              version     1.2.0
              contract    transform@1.0.0 fits
              main        transform()
              instances   shared
              copies      of a table: none
              takes       row
              hash        de92808dc848
              files       modules/upper.py

            Parameters
              column: str = "text"

            Functions
              transform(row: dict) -> dict  main
                  Takes one row and gives it back.

            Attributes
              column

            Guarded by the host
              exceptions, panics, traps       yes
              exit, abort, segfault           Python's own exits
              time limit                      best effort, at the next bytecode
              memory limit                    no
              Arrow buffers that lie          lengths checked
              files, network, environment     no
        "#]],
    );
    here.check_cli(&["inspect", "modules/upper.py", "--json"], &expect![[r#"
        exit status 0
        --- stdout
        {"slot":"modules/upper.py","use":"modules/upper.py","module":"modules/upper.py","name":"upper","backend":"python","entry":"class Upper","version":"1.2.0","doc":"Makes text loud.","contract":"transform@1.0.0","fits":true,"misfits":[],"main":"transform","params":[{"name":"column","type":"text","annotation":"str","kind":"either","default":"\"text\"","required":false}],"functions":[{"name":"transform","signature":"(row: dict) -> dict","params":[{"name":"row","type":"map<any>","annotation":"dict","kind":"either","default":null,"required":true}],"result":"map<any>","async":false,"generator":false,"doc":"Takes one row and gives it back.","file":"modules/upper.py","line":12}],"attributes":[{"name":"column","annotation":null,"value":null,"line":10}],"classes":[{"name":"Upper","bases":[],"doc":"Makes text loud.","methods":[{"name":"transform","signature":"(row: dict) -> dict","params":[{"name":"row","type":"map<any>","annotation":"dict","kind":"either","default":null,"required":true}],"result":"map<any>","async":false,"generator":false,"doc":"Takes one row and gives it back.","file":"modules/upper.py","line":12}],"attributes":[{"name":"column","annotation":null,"value":null,"line":10}],"params":[{"name":"column","type":"text","annotation":"str","kind":"either","default":"\"text\"","required":false}]}],"instances":"shared","table_copies":"none","manifest":{"version":"1.2.0","takes":"row"},"open":false,"guards":{"exceptions":"yes","exits":"Python's own exits","time":"best effort, at the next bytecode","memory":"no","tables":"lengths checked","access":"no"},"hash":"de92808dc84877df107336fa3d17b04cf01c6d913b47ac6c61033e2cea1d3021","files":["modules/upper.py"]}
    "#]]);
}

#[test]
fn check_finds_nothing_in_a_sound_rack() {
    let here = Here::shop();
    here.check_cli(
        &["check"],
        &expect![[r#"
        exit status 0
        --- stderr
        Checked rack.yaml: 1 slot, 2 pipelines; no errors
    "#]],
    );
    here.check_cli(
        &["check", "--json"],
        &expect![[r#"
        exit status 0
        --- stdout
        {"error":null,"errors":[],"slots":1,"pipelines":2,"loaded":false}
    "#]],
    );
    here.check_cli(
        &["check", "-q"],
        &expect![[r#"
        exit status 0
    "#]],
    );
}

#[test]
fn check_reports_all_that_is_wrong_with_a_rack_at_once() {
    let here = Here::new(&[("rack.yaml", "rack: 1\nslotz: {}\nslots:\n  a: { use: 12 }\n")]);
    here.check_cli(
        &["check"],
        &expect![[r#"
            exit status 2
            --- stderr
            error[M0104]: `slotz` is not a key of a rack
              --> rack.yaml:2:1  slotz
                |
              2 | slotz: {}
                | ^
              hint: Did you mean `slots`?

            error[M0105]: `use` must be text or a mapping, not a whole number
              --> rack.yaml:4:13  slots.a.use
                |
              4 |   a: { use: 12 }
                |             ^
              hint: Put it in quotes to have it as text

            2 errors found
        "#]],
    );
    here.check_cli(&["check", "--json"], &expect![[r#"
        exit status 2
        --- stdout
        {"error":{"code":"M0104","kind":"config","message":"`slotz` is not a key of a rack","slot":null,"module":null,"generation":null,"phase":null,"place":{"file":"rack.yaml","line":2,"column":1,"key":"slotz"},"classes":[],"causes":[],"traceback":null,"hint":"Did you mean `slots`?"},"errors":[{"code":"M0104","kind":"config","message":"`slotz` is not a key of a rack","slot":null,"module":null,"generation":null,"phase":null,"place":{"file":"rack.yaml","line":2,"column":1,"key":"slotz"},"classes":[],"causes":[],"traceback":null,"hint":"Did you mean `slots`?"},{"code":"M0105","kind":"config","message":"`use` must be text or a mapping, not a whole number","slot":null,"module":null,"generation":null,"phase":null,"place":{"file":"rack.yaml","line":4,"column":13,"key":"slots.a.use"},"classes":[],"causes":[],"traceback":null,"hint":"Put it in quotes to have it as text"}]}
    "#]]);
}

#[test]
fn check_reports_a_broken_module_with_status_1() {
    let here = Here::new(&[
        ("rack.yaml", "rack: 1\nslots:\n  broken: ./broken.py\n  upper: ./upper.py\n"),
        ("broken.py", "def f(:\n"),
        ("upper.py", UPPER),
    ]);
    here.check_cli(
        &["check"],
        &expect![[r#"
        exit status 1
        --- stderr
        error[M0302]: `broken.py` has a syntax error: `(` was never closed
          --> broken.py:1:6
            |
          1 | def f(:
            |      ^
          slot: broken   module: broken.py   phase: check
          hint: Mend line 1; `python3 -m py_compile broken.py` says it in Python's own words
    "#]],
    );
}

#[test]
fn without_any_python_a_call_says_what_to_do() {
    let here = Here::shop();
    here.check_cli(
        &["call", "upper", "_", "{}"],
        &expect![[r#"
        exit status 2
        --- stderr
        error[M0701]: There is no `python3` on the path
          hint: Install CPython 3.10 or newer, or name a virtual environment with `python: { venv: PATH }`
    "#]],
    );
    here.check_cli(&["call", "upper", "_", "{}", "--json"], &expect![[r#"
        exit status 2
        --- stdout
        {"error":{"code":"M0701","kind":"config","message":"There is no `python3` on the path","slot":null,"module":null,"generation":null,"phase":null,"place":null,"classes":[],"causes":[],"traceback":null,"hint":"Install CPython 3.10 or newer, or name a virtual environment with `python: { venv: PATH }`"},"errors":[{"code":"M0701","kind":"config","message":"There is no `python3` on the path","slot":null,"module":null,"generation":null,"phase":null,"place":null,"classes":[],"causes":[],"traceback":null,"hint":"Install CPython 3.10 or newer, or name a virtual environment with `python: { venv: PATH }`"}]}
    "#]]);
}

#[test]
fn an_environment_that_is_named_and_missing_is_never_replaced() {
    let here = Here::new(&[
        ("rack.yaml", "rack: 1\npython: { venv: gone }\nslots:\n  upper: ./upper.py\n"),
        ("upper.py", UPPER),
    ]);
    here.check_cli(
        &["call", "upper", "_", "{}"],
        &expect![[r#"
        exit status 2
        --- stderr
        error[M0701]: `python.venv` of the rack has no Python that runs: the folder `[HERE]/gone` is not there
          --> rack.yaml:2:17  python.venv
            |
          2 | python: { venv: gone }
            |                 ^
          hint: Make it with `python3 -m venv PATH`, or name another one with `python: { venv: PATH }`
    "#]],
    );
}

#[test]
fn a_pipeline_without_modules_runs_without_python() {
    let here = Here::shop();
    here.check_cli(
        &["run", "copy", "-q"],
        &expect![[r#"
        exit status 0
    "#]],
    );
    assert_eq!(fs::read_to_string(here.path().join("out.csv")).unwrap(), "name\nada\ngrace\n");
    here.check_cli(
        &["run", "nmaes"],
        &expect![[r#"
            exit status 2
            --- stderr
            error[M0114]: `rack.yaml` has no pipeline `nmaes`
              hint: Did you mean `names`?
        "#]],
    );
    here.check_cli(
        &["run"],
        &expect![[r#"
        exit status 2
        --- stderr
        error[M0116]: `rack.yaml` has 2 pipelines: `names`, `copy`
          hint: Name one of them, or run all with `--all`
    "#]],
    );
}

#[test]
fn a_pipeline_to_standard_output_keeps_its_summary_from_the_rows() {
    let here = Here::shop();
    here.check_cli(
        &["run", "copy", "-q", "--set", "pipelines.copy.sink={stdout: csv}"],
        &expect![[r#"
        exit status 0
        --- stdout
        name
        ada
        grace
    "#]],
    );
}

#[test]
fn a_new_rack_passes_check_and_is_not_overwritten() {
    let here = Here::new(&[]);
    here.check_cli(
        &["new", "rack", "shop"],
        &expect![[r#"
        exit status 0
        --- stderr
        Made the rack `shop`
          shop/rack.yaml         the rack: its slots and pipelines
          shop/modules/total.py  a module
          shop/data/orders.csv   data to try it on
          shop/README.md         how to go on

        Try:
          cd shop
          modrack check
          modrack run
          modrack call total _ '{"price": 2.5, "quantity": 4}'
    "#]],
    );
    here.check_cli(
        &["-r", "shop", "check"],
        &expect![[r#"
        exit status 0
        --- stderr
        Checked shop/rack.yaml: 1 slot, 1 pipeline; no errors
    "#]],
    );
    here.check_cli(
        &["new", "rack", "shop"],
        &expect![[r#"
        exit status 2
        --- stderr
        error[M0107]: `shop` is there already
          --> shop
          hint: Choose another name, or empty the folder
    "#]],
    );
}

#[test]
fn a_new_module_is_described_and_is_not_overwritten() {
    let here = Here::new(&[]);
    here.check_cli(
        &["new", "python", "word-count"],
        &expect![[r#"
        exit status 0
        --- stderr
        Made the module `word_count`; a slot takes it with `use: ./word_count.py:WordCount`
          word_count.py  the module

        Try:
          modrack inspect ./word_count.py
          modrack call ./word_count.py _ '{"text": "  Hello "}'
          python3 -m doctest word_count.py
    "#]],
    );
    here.check_cli(
        &["new", "python", "word_count.py"],
        &expect![[r#"
        exit status 2
        --- stderr
        error[M0107]: `word_count.py` is there already
          --> word_count.py
          hint: Choose another name, or remove the file
    "#]],
    );
    here.check_cli(
        &["new", "python", "1st"],
        &expect![[r#"
        exit status 2
        --- stderr
        error[M0116]: `1st` does not name a Python module
          hint: Start with a letter, then use letters, digits and `_`
    "#]],
    );
    let output = here.run(&["inspect", "./word_count.py", "--json"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains(r#""contract":"transform@1"#));
}

#[test]
fn a_new_package_in_rust_is_described() {
    let here = Here::new(&[]);
    here.check_cli(
        &["new", "rust", "word-count"],
        &expect![[r#"
        exit status 0
        --- stderr
        Made the package `word-count`; built, a slot takes it with `use: ./word-count/target/debug/libword_count.so`
          word-count/Cargo.toml  the package; it names the kit
          word-count/src/lib.rs  the module, with its test
          word-count/README.md   how to go on

        Try:
          cd word-count
          cargo test
          cargo build
          modrack call ./target/debug/libword_count.so _ '{"text": "  Hello "}'
    "#]],
    );
    here.check_cli(
        &["new", "rust", "word-count"],
        &expect![[r#"
        exit status 2
        --- stderr
        error[M0107]: `word-count/Cargo.toml` is there already
          --> word-count/Cargo.toml
          hint: Choose another name, or remove the file
    "#]],
    );
    here.check_cli(
        &["new", "rust", "counts", "--wasm"],
        &expect![[r#"
        exit status 0
        --- stderr
        Made the package `counts`; built, a slot takes it with `use: ./counts/target/wasm32-wasip2/component/counts.wasm`
          counts/Cargo.toml  the package; it names the kit
          counts/src/lib.rs  the module, with its test
          counts/README.md   how to go on

        Try:
          cd counts
          cargo test
          rustup target add wasm32-wasip2
          cargo build --profile component --target wasm32-wasip2
          modrack call ./target/wasm32-wasip2/component/counts.wasm _ '{"text": "  Hello "}'
    "#]],
    );
    here.check_cli(
        &["new", "rust", "Counts"],
        &expect![[r#"
        exit status 2
        --- stderr
        error[M0116]: `Counts` does not name a Rust package
          hint: Start with a small letter, then use small letters, digits, `-` and `_`
    "#]],
    );
    here.check_cli(
        &["new", "rust", "others", "--sdk", "nowhere"],
        &expect![[r#"
        exit status 2
        --- stderr
        error[M0116]: There is no `Cargo.toml` in `nowhere`
          hint: Give the folder `crates/modrack-sdk` of modrack's source
    "#]],
    );
}

#[test]
fn schema_is_json() {
    let output = Here::new(&[]).run(&["schema"]);
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(schema["properties"]["slots"].is_object());
}

#[test]
fn version_says_what_is_missing_and_is_no_failure() {
    let here = Here::new(&[]);
    let output = here.run(&["version", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    let version: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(version["modrack"], env!("CARGO_PKG_VERSION"));
    assert_eq!(version["python"]["error"], "There is no `python3` on the path");
}

#[test]
fn completions_offer_slots_functions_and_pipelines() {
    let here = Here::shop();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output = here.run(&["completions", shell]);
        assert!(String::from_utf8_lossy(&output.stdout).contains("MODRACK_COMPLETE"), "{shell}");
    }
    let offered = |words: &[&str]| {
        let index = (words.len() - 1).to_string();
        let mut command = here.command(&["--"]);
        command.args(words).env("MODRACK_COMPLETE", "bash").env("_CLAP_IFS", "\n");
        command.env("_CLAP_COMPLETE_INDEX", index);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    assert_eq!(offered(&["modrack", "call", "up"]), "upper");
    assert_eq!(offered(&["modrack", "call", "upper", "t"]), "transform");
    assert_eq!(offered(&["modrack", "run", "na"]), "names");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let here = Here::shop();
    let mut child = here.command(&["schema"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

#[test]
fn a_reader_that_takes_nothing_does_not_keep_a_run_from_being_interrupted() {
    let rack = "rack: 1\npipelines:\n  lines:\n    source: { text: in.txt }\n    sink: { text: '-' }\n";
    // More than a pipe takes, and than waits between the threads of a run.
    let here = Here::new(&[("rack.yaml", rack), ("in.txt", &"a line of text\n".repeat(200_000))]);
    let mut child = here.command(&["run"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut reader = child.stdout.take().unwrap();
    reader.read_exact(&mut [0]).unwrap();
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(reader);
}

const THREE: &str = "rack: 1
pipelines:
  first:
    source: { csv: names.csv }
    sink: { csv: out.csv }
  second:
    source: { csv: missing.csv }
    sink: { csv: second.csv }
  third:
    source: { csv: names.csv }
    sink: { csv: third.csv }
";

#[test]
fn all_pipelines_say_which_were_not_run_after_a_failure() {
    let here = Here::new(&[("rack.yaml", THREE), ("names.csv", "name\nada\n")]);
    let output = here.run(&["run", "--all"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.starts_with("first: 1 row in, 1 out in "), "{text}");
    assert!(!text.contains("rows/s"), "{text}");
    let end = text.find("not run").unwrap_or_default();
    expect![[r#"
        not run after the failure: `third`
        error[M0601]: There is no file `missing.csv` to read
          --> rack.yaml:7:13  pipelines.second.source
            |
          7 |     source: { csv: missing.csv }
            |             ^
          hint: Paths are relative to the rack's folder
    "#]]
    .assert_eq(&text[end..]);
    assert!(!here.path().join("third.csv").exists());

    let output = here.run(&["run", "--all", "--json", "--stats"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["error"]["code"], "M0601");
    assert_eq!(document["pipelines"][0]["pipeline"], "first");
    assert_eq!(document["pipelines"][0]["rows_out"], 1);
    assert_eq!(document["failed"]["pipeline"], "second");
    assert_eq!(document["not_run"], serde_json::json!(["third"]));
    assert!(document["stats"].is_array() || document["stats"].is_object(), "{document}");
}

#[test]
fn a_damaged_file_makes_no_noise_of_its_reader() {
    let rack = "rack: 1
pipelines:
  make: { source: { csv: names.csv }, sink: { parquet: t.parquet } }
  read: { source: { parquet: t.parquet }, sink: { csv: out.csv } }
";
    let rows: String = (0..200).map(|i| format!("{i},text number {i}\n")).collect();
    let here = Here::new(&[("rack.yaml", rack), ("names.csv", &format!("a,b\n{rows}"))]);
    assert_eq!(here.run(&["run", "make"]).status.code(), Some(0));
    let whole = fs::read(here.path().join("t.parquet")).unwrap();
    let mut contradicted = 0;
    // Here are lengths that the reader takes on trust.
    for at in 800..900 {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x41;
        fs::write(here.path().join("t.parquet"), bytes).unwrap();
        let said = shown(&here.run(&["-q", "run", "read"]), &here.path());
        assert!(!said.contains("panicked"), "{said}");
        contradicted += usize::from(said.contains("its parts contradict each other"));
    }
    assert!(contradicted > 0);
}

#[test]
fn a_configuration_that_never_served_is_not_gone_back_to() {
    Here::shop().check_cli(
        &["config", "restore", "0123"],
        &expect![[r#"
            exit status 1
            --- stderr
            error[M0817]: The history has no configuration `0123`
              hint: `modrack config list` shows those that served
        "#]],
    );
}

#[test]
fn a_rack_that_never_served_remembers_nothing() {
    let here = Here::shop();
    here.check_cli(
        &["history"],
        &expect![[r#"
            exit status 0
            --- stderr
            Nothing is remembered yet
        "#]],
    );
    here.check_cli(
        &["config", "show"],
        &expect![[r#"
        exit status 1
        --- stderr
        error[M0817]: No configuration served yet
          hint: `modrack serve` keeps each configuration that it serves
    "#]],
    );
    here.check_cli(
        &["--json", "history", "upper"],
        &expect![[r#"
        exit status 0
        --- stdout
        {"entries":[]}
    "#]],
    );
    assert!(!here.path().join(".modrack").exists());
}

#[test]
fn what_is_set_for_once_is_not_what_a_swap_sets_for_good() {
    let here = Here::new(&[("rack.yaml", RACK), ("modules/upper.py", UPPER)]);
    for words in [&["--set", "state=/x", "swap", "upper"][..], &["--set=state=/x", "swap", "upper"]] {
        here.check_cli(
            words,
            &expect![[r#"
                exit status 2
                --- stderr
                error[M0116]: `--set` before `swap` would stay, and not hold for this once
                  hint: What is set in what is swapped in stands behind the verb: `modrack swap SLOT --set KEY=VALUE`
            "#]],
        );
    }
    assert!(!here.path().join(".modrack").exists());
}
