//! What a component says of its Arrow IPC stream, held against the bytes before anything is made of them.
//!
//! The reader believes the lengths that stand in messages: compressed buffers become as large as they claim, and
//! a buffer may be named many times. Here each message must stand in the bytes, each buffer in its message's body,
//! and nothing twice, so that a table takes no more than what crossed. What the columns hold, the reader validates.

use arrow_ipc::{Message, MessageHeader, RecordBatch, root_as_message_with_opts};
use flatbuffers::VerifierOptions;

/// Stands before the length of a message, except in streams of before 2019.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// What ends a stream.
pub(crate) const END: [u8; 8] = [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];

/// What is wrong with a stream.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unsound {
    /// Its buffers are compressed, or it would grow in another way.
    Grows(&'static str),
    /// It contradicts itself.
    Lies(String),
}

/// Where the last message of the stream ends; what comes behind its end is nobody's.
///
/// # Errors
/// What contradicts the bytes, or would grow when it is read.
pub(crate) fn sound(bytes: &[u8]) -> Result<usize, Unsound> {
    let mut at = 0;
    loop {
        let Some(length) = next_length(bytes, at)? else { return Ok(at) };
        let (start, length) = length;
        let meta = part(bytes, start, length)
            .ok_or_else(|| Unsound::Lies(format!("a message of {length} bytes is cut short")))?;
        let message = message(meta)?;
        let body = usize::try_from(message.bodyLength())
            .ok()
            .filter(|body| part(bytes, start + length, *body).is_some())
            .ok_or_else(|| {
                Unsound::Lies(format!("a body of {} bytes is not within the stream", message.bodyLength()))
            })?;
        at = start + length + body;
        match message.header_type() {
            MessageHeader::RecordBatch => batch(message.header_as_record_batch(), message.bodyLength())?,
            MessageHeader::DictionaryBatch => {
                let dictionary = message.header_as_dictionary_batch();
                if dictionary.is_some_and(|dictionary| dictionary.isDelta()) {
                    return Err(Unsound::Grows("its dictionaries are added to"));
                }
                batch(dictionary.and_then(|dictionary| dictionary.data()), message.bodyLength())?;
            }
            _ => {}
        }
    }
}

/// Where the next message begins and its length; `None` at the end of the stream.
fn next_length(bytes: &[u8], at: usize) -> Result<Option<(usize, usize)>, Unsound> {
    let word = |at: usize| part(bytes, at, 4).and_then(|word| <[u8; 4]>::try_from(word).ok());
    let cut = || Unsound::Lies("it ends within a message".into());
    if at == bytes.len() {
        return Ok(None);
    }
    let (length, start) = match word(at).ok_or_else(cut)? {
        CONTINUATION => (word(at + 4).ok_or_else(cut)?, at + 8),
        length => (length, at + 4),
    };
    match i32::from_le_bytes(length) {
        0 => Ok(None),
        length => usize::try_from(length)
            .map(|length| Some((start, length)))
            .map_err(|_| Unsound::Lies(format!("a message is of {length} bytes"))),
    }
}

/// The message of these bytes, whose parts are each named once: a tree of as many parts as fit into it.
fn message(meta: &[u8]) -> Result<Message<'_>, Unsound> {
    let opts = VerifierOptions {
        max_tables: meta.len() / 4,
        max_apparent_size: meta.len().saturating_mul(16),
        ..VerifierOptions::default()
    };
    root_as_message_with_opts(&opts, meta).map_err(|why| {
        let why = why.to_string();
        Unsound::Lies(format!("a message is damaged: {}", why.lines().next().unwrap_or_default()))
    })
}

/// Holds a batch against its body: buffers lie in it, side by side, and are as they will be used.
fn batch(batch: Option<RecordBatch<'_>>, body: i64) -> Result<(), Unsound> {
    let batch = batch.ok_or_else(|| Unsound::Lies("a batch says nothing of itself".into()))?;
    if batch.compression().is_some() {
        return Err(Unsound::Grows("its buffers are compressed"));
    }
    let nodes = batch.nodes().into_iter().flatten();
    let rows =
        std::iter::once((batch.length(), 0)).chain(nodes.map(|node| (node.length(), node.null_count())));
    for (length, nulls) in rows {
        if !(0..=length).contains(&nulls) {
            return Err(Unsound::Lies(format!("a column of {length} rows has {nulls} without a value")));
        }
    }
    let mut room = body;
    let mut count = 0;
    for buffer in batch.buffers().into_iter().flatten() {
        let (offset, length) = (buffer.offset(), buffer.length());
        let within = offset >= 0 && length >= 0 && offset.checked_add(length).is_some_and(|end| end <= body);
        if !within {
            return Err(Unsound::Lies(format!(
                "a buffer of {length} bytes from {offset} is not within its body of {body}"
            )));
        }
        room -= length;
        count += 1;
    }
    if room < 0 {
        return Err(Unsound::Grows("its buffers share bytes"));
    }
    for views in batch.variadicBufferCounts().into_iter().flatten() {
        if !(0..=count).contains(&views) {
            return Err(Unsound::Lies(format!("a column of views has {views} buffers of {count}")));
        }
        count -= views;
    }
    Ok(())
}

fn part(bytes: &[u8], at: usize, length: usize) -> Option<&[u8]> {
    bytes.get(at..at.checked_add(length)?)
}
