//! What components print: lines of the log, never the program's own output.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use modrack_core::{Log, LogLevel, LogLine, SlotName};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::p2::{DynOutputStream, OutputStream, Pollable, StreamResult};

use super::wait::VERSION;
use crate::data::Data;

/// How much is taken at once; a line that is longer is cut.
const MOST: usize = 64 << 10;

/// Where what is printed is gathered to lines.
#[derive(Clone)]
pub(crate) struct Printed {
    slot: SlotName,
    log: Log,
    /// The lines of both streams that have no end yet.
    begun: Arc<Mutex<[Vec<u8>; 2]>>,
}

/// One of the two streams of a component.
struct Stream {
    printed: Printed,
    at: usize,
}

impl Printed {
    /// What this slot's component prints.
    pub(crate) fn new(slot: &SlotName, log: &Log) -> Self {
        Self { slot: slot.clone(), log: log.clone(), begun: Arc::default() }
    }

    /// Writes the lines that have no end.
    pub(crate) fn flush(&self) {
        let begun = mem::take(&mut *self.begun.lock().unwrap_or_else(PoisonError::into_inner));
        for line in begun.iter().filter(|line| !line.is_empty()) {
            self.line(line);
        }
    }

    fn write(&self, at: usize, bytes: &[u8]) {
        let text = {
            let begun = &mut self.begun.lock().unwrap_or_else(PoisonError::into_inner)[at];
            begun.extend_from_slice(bytes);
            let end = match begun.iter().rposition(|byte| *byte == b'\n') {
                Some(last) => last + 1,
                None if begun.len() > MOST => begun.len(),
                None => return,
            };
            let rest = begun.split_off(end);
            mem::replace(begun, rest)
        };
        for line in text.strip_suffix(b"\n").unwrap_or(&text).split(|byte| *byte == b'\n') {
            self.line(line);
        }
    }

    fn line(&self, line: &[u8]) {
        let message = String::from_utf8_lossy(line);
        self.log.line(&LogLine {
            slot: Some(&self.slot),
            level: LogLevel::Print,
            message: message.trim_end(),
        });
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Stream {
    async fn ready(&mut self) {}
}

impl OutputStream for Stream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.printed.write(self.at, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(MOST)
    }
}

/// Has components print to the log.
pub(super) fn link(linker: &mut Linker<Data>) -> wasmtime::Result<()> {
    for (at, name) in ["stdout", "stderr"].into_iter().enumerate() {
        linker.instance(&format!("wasi:cli/{name}@{VERSION}"))?.func_wrap(
            &format!("get-{name}"),
            move |mut cx: StoreContextMut<'_, Data>,
                  (): ()|
                  -> wasmtime::Result<(Resource<DynOutputStream>,)> {
                let wasi = cx.data_mut().wasi();
                let stream: DynOutputStream = Box::new(Stream { printed: wasi.printed.clone(), at });
                Ok((wasi.table.push(stream)?,))
            },
        )?;
    }
    Ok(())
}
