//! Functions of WASI that wait: for time, data, a file. Each ends with the call's time, or when the call is given up; as
//! the engine's own, they would go on.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use modrack_core::Cancel;
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource, ResourceTable, ResourceType};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode, HostDescriptor, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::bindings::io::poll::{Host as PollHost, HostPollable};
use wasmtime_wasi::p2::bindings::io::streams::{
    Host as StreamsHost, HostInputStream, HostOutputStream, StreamError as Failure,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, StreamResult};
use wasmtime_wasi::runtime::with_ambient_tokio_runtime;

use crate::data::{Data, Stopped};

/// The version of WASI that is given; components ask for it or an earlier one of the same line.
pub(super) const VERSION: &str = "0.2.12";

/// How often a wait looks whether it was given up.
const LOOK: Duration = Duration::from_millis(5);

type Cx<'a> = StoreContextMut<'a, Data>;
type Streamed<T> = wasmtime::Result<(Result<T, Failure>,)>;

/// Until when a call may wait.
struct Bounds {
    deadline: Option<Instant>,
    cancel: Option<Cancel>,
}

/// Wakes a thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Bounds {
    fn stopped(&self) -> Option<Stopped> {
        if self.cancel.as_ref().is_some_and(Cancel::is_cancelled) {
            Some(Stopped::Cancelled)
        } else if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            Some(Stopped::Deadline)
        } else {
            None
        }
    }

    /// Waits for the future, in the thread that calls; no runtime is entered, so that calls may be nested.
    fn wait<F: Future>(&self, future: F) -> Result<F::Output, Stopped> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut cx = Context::from_waker(&waker);
        with_ambient_tokio_runtime(|| {
            let mut future = pin!(future);
            loop {
                if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
                    return Ok(output);
                }
                if let Some(stopped) = self.stopped() {
                    return Err(stopped);
                }
                let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
                match (left, &self.cancel) {
                    (Some(left), Some(_)) => thread::park_timeout(left.min(LOOK)),
                    (Some(left), None) => thread::park_timeout(left),
                    (None, Some(_)) => thread::park_timeout(LOOK),
                    (None, None) => thread::park(),
                }
            }
        })
    }
}

impl Data {
    fn bounds(&self) -> Bounds {
        Bounds { deadline: self.deadline, cancel: self.cancel.clone() }
    }

    fn table(&mut self) -> &mut ResourceTable {
        &mut self.wasi().table
    }

    fn waited<T>(&mut self, waited: Result<T, Stopped>) -> wasmtime::Result<T> {
        waited.map_err(|stopped| {
            self.stopped = Some(stopped);
            wasmtime::Error::msg("the call was stopped while it waited")
        })
    }

    fn streamed<T>(&mut self, waited: Result<StreamResult<T>, Stopped>) -> Streamed<T> {
        match self.waited(waited)? {
            Ok(value) => Ok((Ok(value),)),
            Err(why) => Ok((Err(StreamsHost::convert_stream_error(self.table(), why)?),)),
        }
    }
}

/// Puts functions that end in time in the place of those that wait without an end.
pub(super) fn link(linker: &mut Linker<Data>) -> wasmtime::Result<()> {
    polls(linker)?;
    inputs(linker)?;
    outputs(linker)?;
    linker.instance(&format!("wasi:filesystem/types@{VERSION}"))?.func_wrap(
        "[method]descriptor.open-at",
        |mut cx: Cx<'_>,
         (at, follow, path, how, flags): (
            Resource<Descriptor>,
            PathFlags,
            String,
            OpenFlags,
            DescriptorFlags,
        )|
         -> wasmtime::Result<(Result<Resource<Descriptor>, ErrorCode>,)> {
            // Opening a named pipe waits for whoever writes into it.
            let data = cx.data_mut();
            let bounds = data.bounds();
            let waited = {
                let mut files = data.filesystem();
                bounds.wait(HostDescriptor::open_at(&mut files, at, follow, path, how, flags))
            };
            Ok((match data.waited(waited)? {
                Ok(opened) => Ok(opened),
                Err(why) => Err(why.downcast()?),
            },))
        },
    )
}

fn polls(linker: &mut Linker<Data>) -> wasmtime::Result<()> {
    let mut poll = linker.instance(&format!("wasi:io/poll@{VERSION}"))?;
    poll.func_wrap(
        "poll",
        |mut cx: Cx<'_>, (list,): (Vec<Resource<DynPollable>>,)| -> wasmtime::Result<(Vec<u32>,)> {
            let data = cx.data_mut();
            let waited = data.bounds().wait(PollHost::poll(data.table(), list));
            Ok((data.waited(waited)??,))
        },
    )?;
    poll.func_wrap(
        "[method]pollable.block",
        |mut cx: Cx<'_>, (one,): (Resource<DynPollable>,)| -> wasmtime::Result<()> {
            let data = cx.data_mut();
            let waited = data.bounds().wait(HostPollable::block(data.table(), one));
            data.waited(waited)?
        },
    )
}

fn inputs(linker: &mut Linker<Data>) -> wasmtime::Result<()> {
    let mut streams = linker.instance(&format!("wasi:io/streams@{VERSION}"))?;
    streams.func_wrap(
        "[method]input-stream.blocking-read",
        |mut cx: Cx<'_>, (from, len): (Resource<DynInputStream>, u64)| -> Streamed<Vec<u8>> {
            let data = cx.data_mut();
            let waited = data.bounds().wait(HostInputStream::blocking_read(data.table(), from, len));
            data.streamed(waited)
        },
    )?;
    streams.func_wrap(
        "[method]input-stream.blocking-skip",
        |mut cx: Cx<'_>, (from, len): (Resource<DynInputStream>, u64)| -> Streamed<u64> {
            let data = cx.data_mut();
            let waited = data.bounds().wait(HostInputStream::blocking_skip(data.table(), from, len));
            data.streamed(waited)
        },
    )?;
    // What is read meanwhile is waited for.
    streams.resource("input-stream", ResourceType::host::<DynInputStream>(), |mut cx: Cx<'_>, rep| {
        let data = cx.data_mut();
        let waited = data.bounds().wait(HostInputStream::drop(data.table(), Resource::new_own(rep)));
        data.waited(waited)?
    })
}

fn outputs(linker: &mut Linker<Data>) -> wasmtime::Result<()> {
    let mut streams = linker.instance(&format!("wasi:io/streams@{VERSION}"))?;
    streams.func_wrap(
        "[method]output-stream.blocking-flush",
        |mut cx: Cx<'_>, (to,): (Resource<DynOutputStream>,)| -> Streamed<()> {
            let data = cx.data_mut();
            let waited = data.bounds().wait(HostOutputStream::blocking_flush(data.table(), to));
            data.streamed(waited)
        },
    )?;
    streams.func_wrap(
        "[method]output-stream.blocking-write-and-flush",
        |mut cx: Cx<'_>, (to, bytes): (Resource<DynOutputStream>, Vec<u8>)| -> Streamed<()> {
            let data = cx.data_mut();
            let waited =
                data.bounds().wait(HostOutputStream::blocking_write_and_flush(data.table(), to, bytes));
            data.streamed(waited)
        },
    )?;
    streams.func_wrap(
        "[method]output-stream.blocking-write-zeroes-and-flush",
        |mut cx: Cx<'_>, (to, len): (Resource<DynOutputStream>, u64)| -> Streamed<()> {
            let data = cx.data_mut();
            let waited =
                data.bounds().wait(HostOutputStream::blocking_write_zeroes_and_flush(data.table(), to, len));
            data.streamed(waited)
        },
    )?;
    streams.func_wrap(
        "[method]output-stream.blocking-splice",
        |mut cx: Cx<'_>,
         (to, from, len): (Resource<DynOutputStream>, Resource<DynInputStream>, u64)|
         -> Streamed<u64> {
            let data = cx.data_mut();
            let waited = data.bounds().wait(HostOutputStream::blocking_splice(data.table(), to, from, len));
            data.streamed(waited)
        },
    )?;
    streams.resource("output-stream", ResourceType::host::<DynOutputStream>(), |mut cx: Cx<'_>, rep| {
        let data = cx.data_mut();
        let waited = data.bounds().wait(HostOutputStream::drop(data.table(), Resource::new_own(rep)));
        data.waited(waited)?
    })
}
