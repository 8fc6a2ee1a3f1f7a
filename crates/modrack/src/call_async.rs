//! Calls that are waited for without holding up a thread: they run on a pool of threads, and the future that is
//! given fits any executor.
//!
//! Modules are called as everywhere else; nothing here is another way into them. A future that is dropped gives
//! its call up.

use modrack_core::{Args, Call, Cancel, Result};

use crate::function::Function;
use crate::values::{FromValue, IntoArgs};

/// Gives a call up when its future is dropped; after the call's end that means nothing.
struct GivesUp(Cancel);

impl Drop for GivesUp {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl<A: IntoArgs, R: FromValue> Function<A, R> {
    /// Calls it on a pool of threads that grows as calls wait, and is shared by the whole program.
    ///
    /// The call begins at once. Dropping the future gives the call up, as well as the module's backend can.
    ///
    /// # Errors
    /// As [`Function::call`].
    ///
    /// ```
    /// # fn block_on<F: std::future::Future>(future: F) -> F::Output {
    /// #     struct Unpark(std::thread::Thread);
    /// #     impl std::task::Wake for Unpark {
    /// #         fn wake(self: std::sync::Arc<Self>) { self.0.unpark() }
    /// #     }
    /// #     let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    /// #     let mut future = std::pin::pin!(future);
    /// #     loop {
    /// #         match future.as_mut().poll(&mut std::task::Context::from_waker(&waker)) {
    /// #             std::task::Poll::Ready(value) => return value,
    /// #             std::task::Poll::Pending => std::thread::park(),
    /// #         }
    /// #     }
    /// # }
    /// let rack = modrack::Rack::builder()
    ///     .module("add", modrack::Module::new().function("execute", |(a, b): (i64, i64)| a + b))
    ///     .open()?;
    /// let add = rack.slot("add")?.function::<(i64, i64), i64>("execute")?;
    /// let (three, seven) = (add.call_async((1, 2)), add.call_async((3, 4)));
    /// assert_eq!(block_on(async { Ok::<_, modrack::Error>((three.await?, seven.await?)) })?, (3, 7));
    /// # Ok::<(), modrack::Error>(())
    /// ```
    pub fn call_async(&self, args: A) -> impl Future<Output = Result<R>> + Send + use<A, R>
    where
        A: 'static,
        R: Send + 'static,
    {
        let function = self.clone();
        let values = args.into_values().as_ref().to_vec();
        let gives_up = GivesUp(Cancel::default());
        let cancel = gives_up.0.clone();
        let call = blocking::unblock(move || {
            let args = Args { positional: &values, named: &[] };
            function.result(Call { args, cancel: Some(&cancel), ..Call::default() })
        });
        async move {
            let result = call.await;
            drop(gives_up);
            result
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::channel;

    use modrack_core::{Code, Value};
    use modrack_runtime::HostModule;

    #[test]
    fn a_future_that_is_dropped_gives_its_call_up() {
        let (begun, hears_begun) = channel();
        let (ended, hears_ended) = channel();
        let module = HostModule::new("job").function("run", None, move |call| {
            begun.send(()).unwrap();
            while !call.cancel.unwrap().is_cancelled() {
                std::thread::yield_now();
            }
            ended.send(()).unwrap();
            Ok(Value::Null)
        });
        let rack = crate::Rack::builder().open().unwrap();
        let description = module.description();
        let slot = rack.register_instance("job", Arc::new(module), description).unwrap();
        let future = slot.function::<(), Value>("run").unwrap().call_async(());
        hears_begun.recv().unwrap();
        drop(future);
        hears_ended.recv().unwrap();
    }

    #[test]
    fn a_failure_comes_back_as_from_a_call_that_is_waited_for() {
        let module = crate::Module::new().try_function("number", |(text,): (String,)| text.parse::<i64>());
        let rack = crate::Rack::builder().module("text", module).open().unwrap();
        let number = rack.slot("text").unwrap().function::<(String,), i64>("number").unwrap();
        let future = std::pin::pin!(number.call_async(("many".to_owned(),)));
        let error = blocking_wait(future).unwrap_err();
        assert_eq!((error.code(), error.message()), (Code::Raised, "invalid digit found in string"));
    }

    fn blocking_wait<F: Future>(mut future: std::pin::Pin<&mut F>) -> F::Output {
        struct Unpark(std::thread::Thread);
        impl std::task::Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let waker = Arc::new(Unpark(std::thread::current())).into();
        loop {
            let mut context = std::task::Context::from_waker(&waker);
            match future.as_mut().poll(&mut context) {
                std::task::Poll::Ready(value) => return value,
                std::task::Poll::Pending => std::thread::park(),
            }
        }
    }
}
