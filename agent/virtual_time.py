"""An event loop whose clock jumps: a talk of half a minute in milliseconds, the same each time.

Rule 1. Time stands still while anything is ready to run, and jumps to the next moment that somebody
        waits for as soon as nothing is.
Rule 2. It also stands still while a thread that was started with `run_in_executor` (`to_thread`)
        works. Of other threads it knows nothing: blocking engines run inline (fakes.InlineWorker).
Rule 3. Where everybody waits for something that can never happen, that is an error, not a hang.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor
from typing import Any, TypeVar

T = TypeVar("T")
_File = Any  # what selectors take: a descriptor, or something that has one


class StuckError(RuntimeError):
    """Everybody waits, and nothing will ever wake anybody."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """The standard loop on a clock of its own, which begins at 0."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Seconds since the loop was made, virtual ones."""
        return self._jumping.now_s

    def run_in_executor(  # type: ignore[override]  # typeshed has it generic over *args
        self, executor: Executor | None, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """As the standard loop does it; time stands still until it is done."""
        self._jumping.threads += 1
        running = super().run_in_executor(executor, func, *args)
        running.add_done_callback(self._ended)
        return running

    async def shutdown_default_executor(self, *args: Any) -> None:
        """As the standard loop does it, in a thread of its own; time stands still meanwhile."""
        self._jumping.threads += 1

        try:
            await super().shutdown_default_executor(*args)
        finally:
            self._jumping.threads -= 1

    def _ended(self, _: object) -> None:
        self._jumping.threads -= 1


class _JumpingSelector(selectors.BaseSelector):
    """Instead of waiting it moves the clock."""

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self.now_s = 0.0
        self.threads = 0
        """Threads that work, and will wake the loop."""

    def register(self, fileobj: _File, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: _File) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: _File, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(None if self.threads and timeout != 0 else 0)

        if ready or timeout == 0 or self.threads:
            return ready

        if timeout is None:
            raise StuckError("everybody waits for something that will never happen")

        self.now_s += timeout
        return []

    def close(self) -> None:
        self._real.close()

    def get_map(self) -> Mapping[_File, selectors.SelectorKey]:
        return self._real.get_map()


def run(main: Coroutine[Any, Any, T]) -> T:
    """`asyncio.run` on virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
