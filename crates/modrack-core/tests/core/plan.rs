//! A rack's text to its plan: what well-formed text means.

use crate::common::plan;
use expect_test::{Expect, expect};

/// Checks the slots and pipelines that a text describes.
fn check(text: &str, expected: Expect) {
    let plan = plan(text);
    let mut shown = String::new();
    for slot in plan.slots.values() {
        shown += &format!(
            "{}: {:?} function={:?} params={:?} contract={} needs={:?} limits={:?} errors={:?} lazy={} best_effort={}\n",
            slot.name,
            slot.use_text,
            slot.function,
            slot.params,
            slot.contract.as_ref().map_or("-".into(), |c| format!("{} {}", c.name, c.version)),
            slot.needs,
            slot.limits.time,
            slot.errors,
            slot.lazy,
            slot.best_effort,
        );
    }
    for pipeline in plan.pipelines.values() {
        shown += &format!("{}: {:?} -> {:?}\n", pipeline.name, pipeline.source.from, pipeline.sink.to);
        for stage in &pipeline.stages {
            shown += &format!("  {}: {:?} function={:?}\n", stage.name, stage.slot, stage.function);
        }
    }
    expected.assert_eq(&shown);
}

#[test]
fn the_rack_of_the_handbook_is_read() {
    check(
        r#"
rack: 1
catalog: [ ./modules, { entry-points: acme.plugins } ]
python: { venv: .venv, path: [.] }
defaults: { limits: { time: 10s } }
slots:
  clean:
    use: ./modules/clean.py:Clean
    function: transform
    params: { currency: EUR, deep: { list: [1, 2.5, no, null, 0x1F] } }
    contract: transform@1
    needs: { rates: exchange }
    errors: { ValidationError: quarantine }
  exchange: { use: ./modules/exchange.py:Exchange, lazy: true, limits: { time: 2m }, enforce: best-effort }
  inline: { use: { source: "def f(): return 1\n", language: python } }
errors: { default: stop }
pipelines:
  delays:
    source: { csv: data/flights.csv, null: [NA, ""] }
    stages: [ clean, { use: ./modules/late.py, params: { minutes: 60 } }, exchange.rank ]
    sink: { parquet: out/delays.parquet }
"#,
        expect![[r#"
            clean: "./modules/clean.py:Clean" function=Some("transform") params={"currency": Text("EUR"), "deep": Map({"list": List([Int(1), Float(2.5), Text("no"), Null, Int(31)])})} contract=transform ^1 needs=[("rates", Declared("exchange"))] limits=Some(10s) errors=Some(OnErrors { by_name: [("ValidationError", Quarantine(None))], default: Stop, default_said: false }) lazy=false best_effort=false
            exchange: "./modules/exchange.py:Exchange" function=None params={} contract=- needs=[] limits=Some(120s) errors=None lazy=true best_effort=true
            inline: "<inline>" function=None params={} contract=- needs=[] limits=Some(10s) errors=None lazy=false best_effort=false
            delays: Files(Csv, ["data/flights.csv"]) -> Files(Parquet, ["out/delays.parquet"])
              clean: Declared("clean") function=None
              ./modules/late.py: Inline("./modules/late.py") function=None
              exchange.rank: Declared("exchange") function=Some("rank")
        "#]],
    );
}
