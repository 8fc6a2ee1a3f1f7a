//! Tables that a component gives: streams that are sound are taken, others are refused, and none of them harms the
//! host.

use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{ArrayRef, DictionaryArray, Int64Array, RecordBatch};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{DictionaryHandling, IpcWriteOptions, StreamWriter};
use modrack_core::{Code, Error, Instance, Value};

use crate::guests::{ECHO, TYPES, call, started};

/// The rows of a column, whose 32768 bytes stand at few places of a stream.
const ROWS: i64 = 4096;

/// Gives the bytes that it is given as a table: what the host sees is what a test wrote.
const GIVE: &str = r#"
  (func (export "give") (param "ipc" (list u8)) (result $table)
    (canon lift (core func $i "echo") (memory $memory) (realloc $realloc)))
"#;

fn given(guest: &Arc<dyn Instance>, stream: &[u8]) -> Result<RecordBatch, Error> {
    let given = call(guest, "give", &[Value::Bytes(stream.to_vec().into())])?;
    match given {
        Value::Table(table) => Ok((*table).clone()),
        other => panic!("{other:?}"),
    }
}

fn giver() -> Arc<dyn Instance> {
    started(&[TYPES, ECHO, GIVE])
}

fn numbers(rows: i64) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows));
    RecordBatch::try_from_iter([("a", column.clone()), ("b", column)]).expect("a table")
}

fn words(words: &[&str]) -> RecordBatch {
    let column: DictionaryArray<Int32Type> = words.iter().copied().collect();
    RecordBatch::try_from_iter([("word", Arc::new(column) as ArrayRef)]).expect("a table")
}

fn stream(batches: &[RecordBatch], options: IpcWriteOptions) -> Vec<u8> {
    let mut bytes = Vec::new();
    let schema = batches[0].schema();
    let mut writer = StreamWriter::try_new_with_options(&mut bytes, &schema, options).expect("a writer");
    for batch in batches.iter().filter(|batch| batch.num_rows() > 0) {
        writer.write(batch).expect("written");
    }
    writer.finish().expect("finished");
    drop(writer);
    bytes
}

fn plain(batches: &[RecordBatch]) -> Vec<u8> {
    stream(batches, IpcWriteOptions::default())
}

fn compressed(kind: CompressionType) -> Vec<u8> {
    stream(&[numbers(ROWS)], IpcWriteOptions::default().try_with_compression(Some(kind)).expect("options"))
}

/// The stream with `new` at each place where `old` stands, one place at a time.
fn changed(stream: &[u8], old: &[u8], new: &[u8]) -> Vec<Vec<u8>> {
    let places = (0..stream.len()).filter(|at| stream[*at..].starts_with(old));
    let one = |at: usize| [&stream[..at], new, &stream[at + old.len()..]].concat();
    let all: Vec<_> = places.map(one).collect();
    assert!(!all.is_empty(), "it stands nowhere");
    all
}

#[test]
fn sound_streams_are_taken() {
    let guest = giver();
    let (one, none) = (numbers(ROWS), numbers(0));
    let whole = plain(std::slice::from_ref(&one));
    for (stream, rows) in [
        (whole.clone(), ROWS),
        (whole[..whole.len() - 8].to_vec(), ROWS),
        ([whole.clone(), b"what follows".to_vec()].concat(), ROWS),
        (plain(&[one.clone(), one.clone()]), 2 * ROWS),
        (plain(std::slice::from_ref(&none)), 0),
        (plain(std::slice::from_ref(&none))[..plain(&[none]).len() - 8].to_vec(), 0),
        (plain(&[words(&["a", "b", "a"]), words(&["c"])]), 4),
    ] {
        let table = given(&guest, &stream).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(table.num_rows() as i64, rows);
    }
    assert_eq!(given(&guest, &whole).expect("a table"), one);
}

#[test]
fn streams_that_would_grow_are_refused() {
    let guest = giver();
    let deltas = IpcWriteOptions::default().with_dictionary_handling(DictionaryHandling::Delta);
    let mut cases = vec![
        ("compressed", compressed(CompressionType::LZ4_FRAME)),
        ("compressed", compressed(CompressionType::ZSTD)),
        ("added to", stream(&[words(&["a"]), words(&["a", "b"])], deltas)),
    ];
    // A buffer that says that it becomes this large.
    let length = (ROWS * 8).to_le_bytes();
    for claimed in [1 << 47, 1 << 62, i64::MAX, -5] {
        let stream = compressed(CompressionType::LZ4_FRAME);
        let bombs = changed(&stream, &length, &i64::to_le_bytes(claimed));
        cases.extend(bombs.into_iter().map(|stream| ("compressed", stream)));
    }
    // The first column's numbers reach to the end of the body: the second's are theirs too.
    let mut shared = plain(&[numbers(ROWS)]);
    let first = (0..shared.len()).find(|at| shared[*at..].starts_with(&length)).expect("a buffer");
    shared[first..first + 8].copy_from_slice(&(ROWS * 16).to_le_bytes());
    cases.push(("share bytes", shared));
    for (why, stream) in cases {
        let error = given(&guest, &stream).expect_err("no table");
        assert_eq!(error.code(), Code::BadTable, "{error:?}");
        assert!(error.message().contains(why), "{error:?}");
        assert!(error.hint_text().is_some_and(|hint| hint.contains("without compression")), "{error:?}");
    }
}

#[test]
fn lengths_that_lie_are_refused() {
    let guest = giver();
    let whole = plain(&[numbers(ROWS)]);
    for length in [ROWS, ROWS * 8, ROWS * 16] {
        let places = (0..whole.len()).filter(|at| whole[*at..].starts_with(&length.to_le_bytes()));
        // Lengths stand before the columns, where a number may look the same.
        for at in places.filter(|at| *at < whole.len() - (ROWS * 16) as usize - 8) {
            for lie in [1 << 62, 1 << 36, i64::MAX, -5, i64::MIN] {
                let mut lying = whole.clone();
                lying[at..at + 8].copy_from_slice(&i64::to_le_bytes(lie));
                let error = given(&guest, &lying).expect_err("no table");
                assert_eq!(error.code(), Code::BadTable, "{length} at {at} is {lie}: {error:?}");
            }
        }
    }
}

#[test]
fn damaged_streams_are_tables_or_refused() {
    let guest = giver();
    for whole in [plain(&[numbers(5)]), plain(&[words(&["a", "b", "a"])])] {
        let cut = (0..whole.len()).map(|at| whole[..at].to_vec());
        let flipped = (0..whole.len()).flat_map(|at| {
            [1, 0x80, 0xff].map(|bits| {
                let mut flipped = whole.clone();
                flipped[at] ^= bits;
                flipped
            })
        });
        for stream in cut.chain(flipped) {
            if let Err(error) = given(&guest, &stream) {
                assert_eq!(error.code(), Code::BadTable, "{error:?}");
            }
        }
    }
}
