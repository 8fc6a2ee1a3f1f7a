"""One event loop in one thread, for the coroutines of all modules of the process."""

import asyncio
import atexit
import concurrent.futures
import contextvars
import os
import threading

_lock = threading.Lock()
_loop = None
_thread = None
_process = None
_stopping = False


def _start():
    global _loop, _thread, _process
    with _lock:
        if _loop is None or _process != os.getpid():
            _loop = asyncio.new_event_loop()
            _thread = threading.Thread(target=_run, args=(_loop,), name="modrack-loop", daemon=True)
            _process = os.getpid()
            _thread.start()
        return _loop


def _run(loop):
    asyncio.set_event_loop(loop)
    while not _stopping:
        try:
            loop.run_forever()
        except (KeyboardInterrupt, SystemExit):
            # The task that raised it has it already, and tells whoever waits for that task.
            pass


# The chain of calls that a coroutine goes on with; threads that it starts with its context see it too.
chain = contextvars.ContextVar("modrack_chain", default=None)


async def _await(awaitable, led_here):
    chain.set(led_here)
    try:
        return await awaitable
    finally:
        led_here.ended()


def submit(awaitable, led_here):
    loop = _start()
    if threading.current_thread() is _thread:
        if hasattr(awaitable, "close"):
            awaitable.close()
        raise RuntimeError("a coroutine cannot wait for another one without `await`")
    return asyncio.run_coroutine_threadsafe(_await(awaitable, led_here), loop)


def listen(future, seconds):
    try:
        return future.exception(seconds)
    except concurrent.futures.TimeoutError:
        raise TimeoutError from None
    except concurrent.futures.CancelledError as error:
        return error


def is_here():
    return threading.current_thread() is _thread


def _forked_off():
    # The thread is not in this process, and whoever held the lock may not be either.
    global _lock, _loop, _thread
    _lock = threading.Lock()
    _loop = _thread = None


os.register_at_fork(after_in_child=_forked_off)


@atexit.register
def _stop():
    global _stopping
    loop = _loop
    if loop is None or _process != os.getpid() or loop.is_closed():
        return

    async def end():
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await loop.shutdown_asyncgens()

    try:
        asyncio.run_coroutine_threadsafe(end(), loop).result(2)
    except Exception:
        pass
    _stopping = True
    loop.call_soon_threadsafe(loop.stop)
    _thread.join(2)
