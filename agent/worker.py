"""Threads for blocking engines: each engine is called from one named thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

T = TypeVar("T")
_END: Final = object()


class Worker:
    """One thread that runs one blocking call after the other."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run(self, call: Callable[[], T]) -> T:
        """The result of a blocking call; a cancelled wait does not stop the call itself."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    async def iterate(self, items: Iterator[T]) -> AsyncIterator[T]:
        """The items of a blocking generator; cancelling stops it between two items."""

        def following() -> T | object:
            return next(items, _END)

        while (item := await self.run(following)) is not _END:
            yield item  # type: ignore[misc]  # the end mark never gets here
