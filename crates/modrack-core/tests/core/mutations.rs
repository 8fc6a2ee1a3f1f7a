//! Whatever is broken in a text, it is an error with a place and never a panic.

use std::path::PathBuf;

use modrack_core::contract::Contracts;
use modrack_core::plan::TextFormat::{self, Json, Toml, Yaml};

use crate::text::parse_as;

const RACK_YAML: &str = "rack: 1
slots:
  a: &x { use: './é.py', params: { a: '${env:WIDTH}', b: \"$${x} ${slots.a.params.c[0].d}\", c: [{d: 0x1F}] } }
  b: { use: { source: 'def f(): pass', language: python }, limits: { time: 1h30m }, needs: { a: a } }
pipelines: { p: { source: { csv: [a], null: [~, 1.5] }, stages: [a.f, { slot: b, schema: { x: int } }], sink: '-' } }
";

const RACK_TOML: &str = "rack = 1
[slots.a]
use = \"./é.py\"
params = { a = 1.5, d = 2020-01-01, \"x y\" = [1, 2] }
[pipelines]
p.source.csv = '''a'''
";

const RACK_JSON: &str = r#"{ "rack": 1, "slots": { "a": { "use": "./\u00e9.py", "params": { "x": [1, -2.5e3, null, true] } } } }"#;

const WIT: &str = "package a:b@1.0.0;
interface b {
    use modrack:types/values@1.0.0.{value};
    record r { a: u8, b: list<tuple<string, f32>> }
    resource q { x: func(); }
    go: func(a: r, q: borrow<q>) -> result<option<value>, string>;
}
world module { export b; }
";

/// What is put into texts.
const BITS: &[u8] = b"{}[]:,'\"&*!|>-?#%@`\t\n \\$.=0x\xc3\xa9<~";

/// A generator of numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap_or_default() % bound
    }

    /// Takes out, puts in, replaces or doubles a few bytes.
    fn broken(&mut self, text: &str) -> Vec<u8> {
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(4) {
                0 => drop(bytes.remove(at)),
                1 => bytes.insert(at, BITS[self.below(BITS.len())]),
                2 => bytes[at] = BITS[self.below(BITS.len())],
                _ => {
                    let part = bytes[at..(at + self.below(20)).min(bytes.len())].to_vec();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, part);
                }
            }
        }
        bytes
    }
}

fn check(format: TextFormat, text: &str) {
    let mut numbers = Numbers(0x1234_5678_9abc_def1);
    for round in 0..300 {
        let bytes = numbers.broken(text);
        let set: &[&str] = if round % 2 == 0 { &[] } else { &["slots.a.params.z=3"] };
        if let Err(error) = parse_as(format, &bytes, set) {
            let placed = error.each().all(|error| error.place_of().is_some());
            assert!(placed, "{error:?}\n{}", String::from_utf8_lossy(&bytes));
        }
    }
}

#[test]
fn broken_racks_are_errors_with_a_place() {
    check(Yaml, RACK_YAML);
    check(Toml, RACK_TOML);
    check(Json, RACK_JSON);
}

#[test]
fn broken_contracts_are_errors_with_a_place() {
    let mut numbers = Numbers(0x1234_5678_9abc_def1);
    for _ in 0..300 {
        let Ok(text) = String::from_utf8(numbers.broken(WIT)) else { continue };
        if let Err(error) = Contracts::built_in().with(&[(PathBuf::from("x.wit"), text.clone())]) {
            assert!(error.each().all(|error| error.place_of().is_some()), "{error:?}\n{text}");
        }
    }
}
