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
# The number of its thread.
ident = None


def _start():
    global _loop, _thread, _process, ident
    with _lock:
        if _loop is None or _process != os.getpid():
            _loop = asyncio.new_event_loop()
            _thread = threading.Thread(target=_run, args=(_loop,), name="modrack-loop", daemon=True)
            _process = os.getpid()
            _thread.start()
            ident = _thread.ident
        return _loop


def _run(loop):
    asyncio.set_event_loop(loop)
    while not _stopping:
        try:
            loop.run_forever()
        except (KeyboardInterrupt, SystemExit):
            # The task that raised it has it already, and tells whoever waits for that task.
            pass


# The call that a coroutine goes on with; threads that it starts with its context see it too.
chain = contextvars.ContextVar("modrack_chain", default=None)


async def _await(awaitable, led_here, running):
    chain.set(led_here)
    try:
        return await awaitable
    finally:
        running.ended()


def submit(awaitable, led_here, running):
    loop = _start()
    if threading.get_ident() == ident:
        if hasattr(awaitable, "close"):
            awaitable.close()
        raise RuntimeError("a coroutine cannot wait for another one without `await`")
    return asyncio.run_coroutine_threadsafe(_await(awaitable, led_here, running), loop)


async def _lead(awaitable, led_here, running):
    # It may be awaited in a coroutine of another call, which goes on with its own afterwards.
    before = chain.get()
    chain.set(led_here)
    worked = None
    try:
        answer = await awaitable
        worked = True
        return answer
    except (asyncio.CancelledError, GeneratorExit):
        raise
    except BaseException:
        worked = False
        raise
    finally:
        if chain.get() is led_here:
            chain.set(before)
        running.ended(worked)


# How long who waits no longer for an answer waits for the end all the same, in seconds.
_PATIENCE = 1


async def _in_time(led, running, seconds):
    task = asyncio.get_running_loop().create_task(led)
    # What it fails with when nobody wants it any more is nobody's.
    task.add_done_callback(lambda task: task.cancelled() or task.exception())
    try:
        await asyncio.wait((task,), timeout=seconds)
        if task.done():
            return task.result()
        late = running.late()
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait((task,), timeout=_PATIENCE)
        raise
    except GeneratorExit:
        task.cancel()
        raise
    task.cancel()
    await asyncio.wait((task,), timeout=_PATIENCE)
    raise late


def lead(awaitable, led_here, running, seconds):
    led = _lead(awaitable, led_here, running)
    if seconds is not None:
        led = _in_time(led, running, seconds)
    led.__name__ = getattr(awaitable, "__name__", led.__name__)
    led.__qualname__ = getattr(awaitable, "__qualname__", led.__qualname__)
    return led


async def elsewhere(call):
    loop = asyncio.get_running_loop()
    answered, answers = loop.create_future(), []

    def run():
        try:
            answers.append((True, call()))
        except BaseException as error:
            answers.append((False, error))
        try:
            loop.call_soon_threadsafe(answered.set_result, None)
        except RuntimeError:
            # The process ends, and the loop is closed.
            pass

    run_here = contextvars.copy_context().run
    threading.Thread(target=run_here, args=(run,), name="modrack-await", daemon=True).start()
    given_up = None
    try:
        while not answered.done():
            try:
                await asyncio.wait((answered,))
            except asyncio.CancelledError as error:
                given_up = error
                call.cancel()
    except BaseException:
        call.cancel()
        raise
    if given_up is not None:
        raise given_up
    worked, answer = answers.pop()
    if worked:
        return answer
    try:
        raise answer
    finally:
        # The exception holds this frame.
        del answer


def listen(future, seconds):
    try:
        return future.exception(seconds)
    except concurrent.futures.TimeoutError:
        raise TimeoutError from None
    except concurrent.futures.CancelledError as error:
        return error


def _forked_off():
    # The thread is not in this process, and whoever held the lock may not be either.
    global _lock, _loop, _thread, ident
    _lock = threading.Lock()
    _loop = _thread = ident = None


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
