//! Flights from CSV to Parquet: through a pipeline, and straight with arrow-csv and parquet; without stages, and with
//! one native stage, which the straight way calls as a function.
//!
//! Both read the same file with the same null texts, take the columns' types from the same number of rows,
//! and write the same compression, so that only the way between differs.

use std::fs::File;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_csv::ReaderBuilder;
use arrow_csv::reader::Format;
use arrow_schema::ArrowError;
use criterion::Criterion;
use modrack_core::Backend;
use modrack_core::plan::{Ask, RackPlan, RackText, TextFormat};
use modrack_flow::{Progress, RunOptions, Snapshot};
use modrack_native::{NativeBackend, NativeSettings};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

/// The rows that both look at to find the columns' types.
const INFER_ROWS: usize = 10_000;

fn main() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/flights/data/full/flights.csv");
    assert!(source.exists(), "run `cargo xtask flights-data` first");
    let folder = std::env::temp_dir().join(format!("modrack-convert-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("making a folder for what is written");

    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let mut group = criterion.benchmark_group("convert");
    group.bench_function("flow", |b| b.iter(|| black_box(flow(&source, &folder, None))));
    group.bench_function("straight", |b| b.iter(|| black_box(straight(&source, &folder, Ok))));
    group.finish();
    let mut group = criterion.benchmark_group("stage");
    let modules = std::env::var_os("MODRACK_BENCH_MODULES").expect("run by `cargo xtask bench`");
    let stage = Path::new(&modules).join("libspeed.so");
    group.bench_function("flow", |b| b.iter(|| black_box(flow(&source, &folder, Some(&stage)))));
    let transform =
        |batch| speed::speed::transform(batch).map_err(|why| ArrowError::ComputeError(why.to_string()));
    group.bench_function("straight", |b| b.iter(|| black_box(straight(&source, &folder, transform))));
    group.finish();
    criterion.final_summary();
    std::fs::remove_dir_all(&folder).expect("removing what was written");
}

/// The straight way, as one would write it by hand.
fn straight(
    source: &Path,
    folder: &Path,
    stage: impl Fn(RecordBatch) -> Result<RecordBatch, ArrowError>,
) -> PathBuf {
    let nulls = || regex::Regex::new("^(NA|)$").expect("a pattern");
    let format = || Format::default().with_header(true).with_null_regex(nulls());
    let (schema, _) = format()
        .infer_schema(File::open(source).expect("opening"), Some(INFER_ROWS))
        .expect("finding the types");
    let schema = Arc::new(schema);
    let reader = ReaderBuilder::new(schema.clone())
        .with_format(format())
        .with_batch_size(8192)
        .build(File::open(source).expect("opening"))
        .expect("reading");
    let out = folder.join("straight.parquet");
    let level = ZstdLevel::try_new(1).expect("a level");
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
    let sink = File::create(&out).expect("creating");
    let mut batches = reader.map(|batch| stage(batch.expect("a batch")).expect("a stage"));
    let first = batches.next().expect("a batch");
    let mut writer = ArrowWriter::try_new(sink, first.schema(), Some(properties)).expect("writing");
    for batch in std::iter::once(first).chain(batches) {
        writer.write(&batch).expect("writing");
    }
    writer.close().expect("closing");
    out
}

/// The same through a pipeline.
fn flow(source: &Path, folder: &Path, stage: Option<&Path>) -> PathBuf {
    let out = folder.join("flow.parquet");
    let text = format!(
        "rack: 1\npipelines:\n  convert:\n    source: {{ csv: '{}', null: [NA, ''], infer-rows: {INFER_ROWS} }}\n    \
         stages: [{}]\n    sink: {{ parquet: '{}', compression: zstd }}\n",
        source.display(),
        stage.map_or(String::new(), |stage| format!("'{}'", stage.display())),
        out.display(),
    );
    let text = RackText {
        file: folder.join("rack.yaml"),
        root: folder.to_owned(),
        format: TextFormat::Yaml,
        bytes: text.into_bytes(),
    };
    let ask = Ask { env: &|_| None, read: &|_| Err("nothing is read".to_owned()), given: &[] };
    let plan = RackPlan::parse(&text, &[], &ask).expect("a plan");
    let settings = NativeSettings {
        root: folder.to_owned(),
        store: Some(folder.join("native")),
        ..NativeSettings::default()
    };
    let backends: Vec<Arc<dyn Backend>> = vec![Arc::new(NativeBackend::new(settings))];
    let rack = modrack_runtime::Rack::open(plan, backends).expect("a rack");
    let plan = rack.plan();
    let pipeline = plan.pipelines.values().next().expect("a pipeline");
    modrack_flow::run(&rack, pipeline, RunOptions::default(), &Quiet).expect("a run");
    out
}

/// Nobody looks on.
struct Quiet;

impl Progress for Quiet {
    fn update(&self, _now: &Snapshot) {}
}
