"""Task `watcher` of the event loop is in `watch` (tasks.py, line 8)
The event loop is to call `version` (tasks.py, line 16)"""

import asyncio


async def watch():
    await asyncio.sleep(3600)


async def create():
    asyncio.create_task(watch(), name="watcher")
    asyncio.get_running_loop().call_later(3600, version)


def version() -> int:
    return 1
