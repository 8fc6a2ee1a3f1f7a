"""Nothing holds it: coroutines that have ended, and one that was given up."""

import asyncio


async def short():
    await asyncio.sleep(0)
    return short


async def create():
    await asyncio.gather(short(), short())
    given_up = asyncio.create_task(asyncio.sleep(3600))
    await asyncio.sleep(0)
    given_up.cancel()


def version() -> int:
    return 1
