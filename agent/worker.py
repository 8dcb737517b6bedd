"""Threads for blocking engines, and the arbiter that hands the processor out to them.

Rule 1. Each engine is called from one named thread.
Rule 2. Of those that wait for the processor, the most urgent one is next. A call that runs is not
        stopped: it gives the processor back at its next boundary (a step, a decode, a piece of
        sound).
Rule 3. What is granted is given back when the call ends, not when somebody stops waiting for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import IntEnum
from itertools import count
from typing import Final, Protocol, TypeVar

from atonce.config import processor
from atonce.config.processor import Shares

T = TypeVar("T")
_END: Final = object()


class Stage(IntEnum):
    """What the processor is wanted for; the most urgent first."""

    PLAYBACK = 0
    """Sound out, and stopping it when somebody interrupts. Never waits."""
    VOICE_ACTIVITY = 1
    """Tenths of a millisecond. Never waits."""
    SYNTHESIS = 2
    """The next piece of sound."""
    FINAL_TRANSCRIPT = 3
    """What was said, once the person has stopped."""
    REPLY = 4
    """A denoising step of the reply."""
    PARTIAL_TRANSCRIPT = 5
    """What was said so far, while the person speaks."""
    EARLY_DRAFT = 6
    """A denoising step of a reply to what was said so far."""


Urgency = Stage | Callable[[], Stage] | None
"""How urgent the steps of something are: always, as somebody says before each, or as its runner's
calls are."""


class Arbiter:
    """Hands out the processor, by urgency; for one event loop."""

    def __init__(self, shares: Shares | None = None) -> None:
        """shares: how many calls run at once; None: as suits this machine."""
        shares = shares or processor.shares()
        heavy = _Lane(shares.heavy_calls)
        voice = _Lane(1) if shares.speaks_beside else heavy
        self._lanes = {stage: heavy for stage in Stage if stage > Stage.SYNTHESIS}
        self._lanes[Stage.SYNTHESIS] = voice

    async def take(self, stage: Stage) -> None:
        """Wait until this stage may use the processor."""
        if stage in self._lanes:
            await self._lanes[stage].take(stage)

    def give(self, stage: Stage) -> None:
        """The processor is free again; once for every `take`."""
        if stage in self._lanes:
            self._lanes[stage].give()


class _Lane:
    """Calls that take turns."""

    def __init__(self, places: int) -> None:
        self._free = places
        self._order = count()
        self._waiting: list[tuple[Stage, int, asyncio.Future[None]]] = []

    async def take(self, stage: Stage) -> None:
        if self._free:
            self._free -= 1
            return

        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (stage, next(self._order), turn))

        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # granted in the same moment
                self.give()

            raise

    def give(self) -> None:
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)

            if not turn.done():
                turn.set_result(None)
                return

        self._free += 1


class Runner(Protocol):
    """Runs blocking calls of an engine, one after the other; a Worker does it in a thread."""

    async def run(self, call: Callable[[], T], *, stage: Stage | None = None) -> T:
        """The result of a call; a cancelled wait does not stop the call itself."""
        ...

    def iterate(self, items: Iterator[T], *, stage: Urgency = None) -> AsyncGenerator[T, None]:
        """The items of a blocking generator; cancelling stops it between two items."""
        ...


async def one_by_one(runner: Runner, items: Iterator[T], stage: Urgency) -> AsyncGenerator[T, None]:
    """The items of a blocking generator, each of them a call of its own."""

    def following() -> T | object:
        return next(items, _END)

    def wanted() -> Stage | None:
        return stage if stage is None or isinstance(stage, Stage) else stage()

    while (item := await runner.run(following, stage=wanted())) is not _END:
        yield item  # type: ignore[misc]  # the end mark never gets here


class Worker:
    """One thread that runs one blocking call after the other."""

    def __init__(
        self, name: str, arbiter: Arbiter | None = None, stage: Stage = Stage.PLAYBACK
    ) -> None:
        """arbiter: whose turns its calls wait for; stage: what they are for if they do not say."""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._arbiter = arbiter or Arbiter()
        self._stage = stage

    async def run(self, call: Callable[[], T], *, stage: Stage | None = None) -> T:
        """The result of a blocking call; a cancelled wait does not stop the call itself."""
        loop = asyncio.get_running_loop()
        wanted = self._stage if stage is None else stage
        await self._arbiter.take(wanted)

        def give_soon() -> None:
            # Two rounds of the loop later: whoever got the result asks for its next step by then,
            # and is not overtaken by somebody less urgent.
            loop.call_soon(loop.call_soon, self._arbiter.give, wanted)

        def give_back(_: object) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(give_soon)

        running = self._thread.submit(call)
        result = asyncio.wrap_future(running)
        running.add_done_callback(give_back)
        return await result

    async def iterate(
        self, items: Iterator[T], *, stage: Urgency = None
    ) -> AsyncGenerator[T, None]:
        """The items of a blocking generator; cancelling stops it between two items.

        Between two items the processor goes to whoever needs it more.
        """
        try:
            async with contextlib.aclosing(one_by_one(self, items, stage)) as following:
                async for item in following:
                    yield item
        finally:
            self._thread.submit(_close, items)


def _close(items: Iterator[T]) -> None:
    """In the engine's own thread, behind the call that may still run: what it holds is let go."""
    if isinstance(items, Generator):
        items.close()


class Staged:
    """A runner whose calls are as urgent as somebody says they are at that moment."""

    def __init__(self, runner: Runner, stage: Callable[[], Stage]) -> None:
        """stage: asked before every call that does not say."""
        self._runner = runner
        self._urgency = stage

    async def run(self, call: Callable[[], T], *, stage: Stage | None = None) -> T:
        """The result of a call; see Runner."""
        return await self._runner.run(call, stage=self._urgency() if stage is None else stage)

    def iterate(self, items: Iterator[T], *, stage: Urgency = None) -> AsyncGenerator[T, None]:
        """The items of a blocking generator; see Runner. They end where the runner ends them."""
        return self._runner.iterate(items, stage=self._urgency if stage is None else stage)


class Here:
    """Runs calls on the loop itself: for those that take tenths of a millisecond."""

    async def run(self, call: Callable[[], T], *, stage: Stage | None = None) -> T:  # noqa: ARG002
        """The result of a call."""
        return call()

    async def iterate(
        self,
        items: Iterator[T],
        *,
        stage: Urgency = None,  # noqa: ARG002
    ) -> AsyncGenerator[T, None]:
        """The items of a generator."""
        for item in items:
            yield item


_: type[Runner] = Worker
_here: type[Runner] = Here
_staged: type[Runner] = Staged
