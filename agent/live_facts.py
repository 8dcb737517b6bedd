"""Live facts at work: found out on a timer or when a question is near, without holding up a talk.

    live = LiveFacts(settings.agent, clock=loop.time, renew=reader(settings, engines))
    await live.find_due()                           at the start, beside the loading of engines
    group.create_task(live.run())                   timers, and reading the prefix anew
    await live.ask(question)                        before a reply is written; then
    build_prompt(role, live.facts(), question, …)   with the values as they are now
    with live.undisturbed(): …                      around the writing of a reply

Rule 1. Nobody who waits for a fact is its owner: a barge-in ends the waiting, not the finding out,
        and who asks next waits for the same one.
Rule 2. What takes longer than its limit is given up; the last value stays; the log says so once.
Rule 3. When a value changed, `renew` reads the prefix anew, as soon as nobody writes a reply. A
        reply that comes before that has the new value all the same, and reads the prefix itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future
from functools import partial
from typing import ParamSpec, TypeVar

from atonce.agent import live_sources
from atonce.agent.engines import Engines
from atonce.agent.knowledge import build_prompt
from atonce.agent.live_book import LiveBook, ValueRefusedError
from atonce.agent.live_sources import SourceError, too_slow
from atonce.agent.names import names
from atonce.agent.worker import Stage
from atonce.config.agent_settings import AgentSettings, LiveFact
from atonce.config.errors import EngineError
from atonce.config.schema import Settings

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
Start = Callable[[LiveFact], "asyncio.Future[str]"]
"""Begins to find a fact out; the future has its value, or a SourceError."""
Renew = Callable[[Mapping[str, str]], Awaitable[None]]
"""Reads the prefix with these facts."""


class LiveFacts:
    """The facts of one agent, fixed and live, for one event loop."""

    def __init__(
        self,
        settings: AgentSettings,
        *,
        clock: Callable[[], float],
        start: Start | None = None,
        renew: Renew | None = None,
    ) -> None:
        """clock: the loop's time; start: None: as the settings say, in threads; renew: None: no
        prefix is kept. SettingsError: a live fact names what does not exist."""
        live_sources.check(settings.live_facts)
        self._live = settings.live_facts
        self._book = LiveBook(settings.facts, settings.live_facts)
        self._clock = clock
        self._sources = live_sources.Sources()
        self._start = start or self._in_thread
        self._renew = renew
        self._answers: dict[str, asyncio.Future[None]] = {}
        self._ended_one = asyncio.Event()
        self._is_stale = asyncio.Event()
        self._is_quiet = asyncio.Event()
        self._is_quiet.set()
        self._writing = 0
        self._is_closed = False

    def facts(self) -> Mapping[str, str]:
        """All facts as they are known now."""
        return self._book.facts()

    async def ask(self, question: str) -> None:
        """Find out what is near the question; returns when that is done or given up."""
        await self._find(self._book.near(question, self._clock()))

    async def find_due(self) -> None:
        """Find out what is on a timer and due; at the start that is all of it."""
        await self._find(self._book.due(self._clock()))

    async def find_all(self) -> None:
        """Find every live fact out once, for whoever has a single question."""
        await self._find(self._live)

    async def run(self) -> None:
        """Keeps the timers until it is cancelled; returns at once where there are no live facts."""
        if not self._live:
            return

        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_time())
                group.create_task(self._keep_read())
        finally:
            self.close()

    def close(self) -> None:
        """Ends what still runs, as far as it can be ended. `run` does it by itself."""
        self._is_closed = True
        self._sources.close()

    @contextlib.contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Inside, no prefix is read anew: the processor belongs to a reply."""
        self._writing += 1
        self._is_quiet.clear()

        try:
            yield
        finally:
            self._writing -= 1

            if not self._writing:
                self._is_quiet.set()

    async def _keep_time(self) -> None:
        while True:
            self._ended_one.clear()

            for name in self._book.due(self._clock()):
                self._begin(name)

            wait_s = self._book.next_due_s() - self._clock()

            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s if wait_s < math.inf else None):
                    await self._ended_one.wait()

    async def _keep_read(self) -> None:
        while True:
            await self._is_stale.wait()
            await self._is_quiet.wait()
            self._is_stale.clear()

            if self._renew is None:
                continue

            try:
                await self._renew(self.facts())
            except EngineError as error:  # the next reply reads it, and says so if it cannot
                logger.warning("the facts could not be read anew: %s", error)

    async def _find(self, names: Iterable[str]) -> None:
        for name in names:
            if not self._book.is_running(name):
                self._begin(name)

        if waited := [self._answers[name] for name in names if name in self._answers]:
            await asyncio.wait(waited)  # which cancels none of them

    def _begin(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[None] = loop.create_future()
        limit_s = self._live[name].limit_s
        self._answers[name] = answer
        self._book.begun(name, self._clock())
        late = loop.call_later(limit_s, self._give_up, name, answer, too_slow(limit_s))
        work = self._start(self._live[name])
        work.add_done_callback(partial(self._ended, name, answer, late))

    def _give_up(self, name: str, answer: asyncio.Future[None], why: str) -> None:
        """The fact was not found, and whoever waits for it goes on without."""
        del self._answers[name]
        answer.set_result(None)

        if self._book.failed(name) and not self._is_closed:
            kept = "its last value is kept" if self._book.has_value(name) else "it has no value yet"
            logger.warning("agent.live_facts.%s: %s; %s", name, why, kept)

    def _ended(
        self,
        name: str,
        answer: asyncio.Future[None],
        late: asyncio.TimerHandle,
        work: asyncio.Future[str],
    ) -> None:
        """Somebody who worked on the fact is done, in time or not."""
        late.cancel()
        error = None if work.cancelled() else work.exception()

        if not answer.done():
            try:
                self._found(name, work.result())
            except (SourceError, ValueRefusedError) as refused:
                self._give_up(name, answer, str(refused))
            except asyncio.CancelledError:
                self._give_up(name, answer, "it was cancelled")
            else:
                del self._answers[name]
                answer.set_result(None)
        elif error is None:
            logger.debug("agent.live_facts.%s: came after its time limit", name)

        self._book.ended(name)
        self._ended_one.set()

    def _found(self, name: str, value: str) -> None:
        was_failing = self._book.is_failing(name)

        if self._book.found(name, value, self._clock()):
            self._is_stale.set()

        if was_failing:
            logger.info("agent.live_facts.%s: it is found again", name)

    def _in_thread(self, fact: LiveFact) -> asyncio.Future[str]:
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(_DaemonThreads(), self._sources.fetch, fact)


def reader(settings: Settings, engines: Engines) -> Renew:
    """What tells these engines new facts: the writers read the prefix, the ears expect its names.
    It waits for everybody who is more urgent."""

    async def read(facts: Mapping[str, str]) -> None:
        role, transcriber = settings.agent.role, engines.transcriber
        prompt = build_prompt(role, facts, "")

        for writer in (engines.writer, engines.twin):
            if writer is not None:
                call = partial(writer.read, prompt)
                await engines.writing.run(call, stage=Stage.EARLY_DRAFT)

        if transcriber is not None:
            expect = partial(transcriber.expect, names(role, facts))
            await engines.hearing.run(expect, stage=Stage.EARLY_DRAFT)

    return read


class _DaemonThreads(Executor):
    """A thread for each call. It dies with the process: a function of a user's own that hangs must
    not keep the agent from ending, as the threads of a pool would."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Runs the call now."""
        result: Future[T] = Future()

        def work() -> None:
            try:
                value = fn(*args, **kwargs)
            except BaseException as error:  # whoever waits for the result is told
                result.set_exception(error)
            else:
                result.set_result(value)

        threading.Thread(target=work, name="live-fact", daemon=True).start()
        return result
