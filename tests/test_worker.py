"""Threads and the arbiter: the most urgent is next, and nothing is granted twice or lost."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from atonce.agent.worker import Arbiter, Here, Stage, Staged, Worker, one_by_one
from atonce.config.processor import TABLE, Shares, cores, shares

TWO_CORES = shares(2)
ONE_CORE = shares(1)


class Gate:
    """A blocking call that a test lets go on."""

    def __init__(self, log: list[str], name: str) -> None:
        self._log = log
        self._name = name
        self._begun = threading.Event()
        self._open = threading.Event()

    def __call__(self) -> str:
        """Runs until it is let go."""
        self._log.append(self._name)
        self._begun.set()
        assert self._open.wait(timeout=20)
        return self._name

    async def runs(self) -> None:
        """Wait until it has begun."""
        assert await asyncio.to_thread(self._begun.wait, 20)

    def let_go(self) -> None:
        """The call ends."""
        self._open.set()


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


def test_of_those_that_wait_the_most_urgent_is_next() -> None:
    async def talk() -> list[str]:
        arbiter, log = Arbiter(TWO_CORES), list[str]()
        hearing, writing = Worker("hearing", arbiter), Worker("writing", arbiter)
        first = Gate(log, "draft")

        async with asyncio.TaskGroup() as group:
            group.create_task(writing.run(first, stage=Stage.EARLY_DRAFT))
            await first.runs()

            for worker, stage in (
                (writing, Stage.REPLY),
                (hearing, Stage.PARTIAL_TRANSCRIPT),
                (hearing, Stage.FINAL_TRANSCRIPT),
            ):
                group.create_task(worker.run(lambda s=stage: log.append(s.name), stage=stage))  # type: ignore[misc]
                await settle()

            assert log == ["draft"]
            first.let_go()

        return log

    assert asyncio.run(talk()) == ["draft", "FINAL_TRANSCRIPT", "REPLY", "PARTIAL_TRANSCRIPT"]


def test_a_long_reply_yields_between_two_steps() -> None:
    async def talk() -> list[str]:
        arbiter, log = Arbiter(TWO_CORES), list[str]()
        hearing, writing = Worker("hearing", arbiter), Worker("writing", arbiter, Stage.REPLY)
        gates = [Gate(log, f"step {number}") for number in range(3)]

        async def reply() -> None:
            async for _ in writing.iterate(gate() for gate in gates):
                pass

        async with asyncio.TaskGroup() as group:
            group.create_task(reply())
            await gates[0].runs()
            group.create_task(
                hearing.run(lambda: log.append("final"), stage=Stage.FINAL_TRANSCRIPT)
            )
            await settle()

            for gate in gates:
                gate.let_go()

        return log

    assert asyncio.run(talk()) == ["step 0", "final", "step 1", "step 2"]


def test_a_reply_is_not_overtaken_between_its_steps_by_somebody_less_urgent() -> None:
    async def talk() -> list[str]:
        arbiter, log = Arbiter(TWO_CORES), list[str]()
        hearing, writing = Worker("hearing", arbiter), Worker("writing", arbiter, Stage.REPLY)
        gates = [Gate(log, f"step {number}") for number in range(3)]

        async def reply() -> None:
            async for _ in writing.iterate(gate() for gate in gates):
                pass

        async with asyncio.TaskGroup() as group:
            group.create_task(reply())
            await gates[0].runs()
            group.create_task(
                hearing.run(lambda: log.append("partial"), stage=Stage.PARTIAL_TRANSCRIPT)
            )
            await settle()

            for gate in gates:
                gate.let_go()

        return log

    assert asyncio.run(talk()) == ["step 0", "step 1", "step 2", "partial"]


@pytest.mark.parametrize(("machine", "beside"), [(TWO_CORES, True), (ONE_CORE, False)])
def test_the_voice_runs_beside_a_heavy_call_where_there_are_two_cores(
    machine: Shares, beside: bool
) -> None:
    async def talk() -> list[str]:
        arbiter, log = Arbiter(machine), list[str]()
        writing = Worker("writing", arbiter, Stage.REPLY)
        speaking = Worker("speaking", arbiter, Stage.SYNTHESIS)
        step, piece = Gate(log, "step"), Gate(log, "piece")

        async with asyncio.TaskGroup() as group:
            group.create_task(writing.run(step))
            await step.runs()
            group.create_task(speaking.run(piece))

            if beside:
                await piece.runs()
            else:
                await settle()

            seen = list(log)
            step.let_go()
            piece.let_go()

        return seen

    assert asyncio.run(talk()) == ["step", "piece"][: 1 + beside]


@pytest.mark.parametrize("stage", [Stage.PLAYBACK, Stage.VOICE_ACTIVITY])
def test_playback_and_voice_activity_never_wait(stage: Stage) -> None:
    async def talk() -> str:
        arbiter, log = Arbiter(ONE_CORE), list[str]()
        step = Gate(log, "step")

        async with asyncio.TaskGroup() as group:
            group.create_task(Worker("writing", arbiter, Stage.REPLY).run(step))
            await step.runs()
            heard = await Worker("listening", arbiter).run(lambda: "frame", stage=stage)
            step.let_go()

        return heard

    assert asyncio.run(talk()) == "frame"


def test_a_call_that_nobody_waits_for_any_more_keeps_the_processor_until_it_ends() -> None:
    async def talk() -> list[str]:
        arbiter, log = Arbiter(TWO_CORES), list[str]()
        hearing, writing = Worker("hearing", arbiter), Worker("writing", arbiter)
        stale = Gate(log, "stale")

        async with asyncio.TaskGroup() as group:
            given_up = group.create_task(hearing.run(stale, stage=Stage.PARTIAL_TRANSCRIPT))
            await stale.runs()
            given_up.cancel()
            await settle()
            group.create_task(writing.run(lambda: log.append("reply"), stage=Stage.REPLY))
            await settle()
            assert log == ["stale"]
            stale.let_go()

        return log

    assert asyncio.run(talk()) == ["stale", "reply"]


def test_a_turn_that_is_given_up_while_waiting_or_in_the_moment_it_comes_is_not_lost() -> None:
    async def talk() -> None:
        arbiter = Arbiter(TWO_CORES)
        await arbiter.take(Stage.REPLY)

        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(arbiter.take(Stage.FINAL_TRANSCRIPT))
            granted = group.create_task(arbiter.take(Stage.REPLY))
            await settle()
            waiting.cancel()
            await settle()
            arbiter.give(Stage.REPLY)  # granted is next, and given up before it sees that
            granted.cancel()

        await asyncio.wait_for(arbiter.take(Stage.EARLY_DRAFT), timeout=20)

    asyncio.run(talk())


def test_a_call_that_raises_gives_the_processor_back() -> None:
    async def talk() -> str:
        worker = Worker("writing", Arbiter(TWO_CORES), Stage.REPLY)

        with pytest.raises(ZeroDivisionError):
            await worker.run(lambda: 1 // 0)

        return await worker.run(lambda: "well")

    assert asyncio.run(talk()) == "well"


def test_workers_of_another_arbiter_do_not_wait() -> None:
    async def talk() -> list[int]:
        def items() -> Iterator[int]:
            yield from range(3)

        busy = Arbiter(TWO_CORES)
        await busy.take(Stage.REPLY)
        return [item async for item in Worker("alone", stage=Stage.REPLY).iterate(items())]

    assert asyncio.run(talk()) == [0, 1, 2]


@pytest.mark.parametrize(
    ("count", "row"), [(0, 1), (1, 1), (2, 2), (3, 2), (4, 4), (7, 4), (8, 8), (200, 16)]
)
def test_every_machine_has_its_row(count: int, row: int) -> None:
    assert shares(count).cores == row


def test_no_row_wants_more_threads_for_its_heavy_calls_than_there_are_cores() -> None:
    for row in TABLE:
        assert row.heavy_calls * max(row.hearing, row.writing) <= row.cores
        assert row.speaking == 1

    assert shares() == shares(cores())


# ---- who stops waiting ----


class Row:
    """A generator of steps that notes where it was let go."""

    def __init__(self) -> None:
        self.steps = 0
        self.closed_in = ""

    def run(self) -> Iterator[int]:
        try:
            while True:
                self.steps += 1
                yield self.steps
        finally:
            self.closed_in = threading.current_thread().name


@pytest.mark.parametrize("is_staged", [False, True])
def test_whoever_stops_waiting_lets_go_of_the_row_between_two_steps(is_staged: bool) -> None:
    async def talk() -> Row:
        row, worker = Row(), Worker("writing")
        runner = Staged(worker, lambda: Stage.REPLY) if is_staged else worker

        has_begun = asyncio.Event()

        async def write() -> None:
            async for _ in runner.iterate(row.run()):
                has_begun.set()

        async with asyncio.TaskGroup() as group:
            task = group.create_task(write())

            await has_begun.wait()
            task.cancel()

        await worker.run(lambda: None)  # behind what was still running
        steps = row.steps
        await worker.run(lambda: None)
        assert row.steps == steps
        return row

    assert asyncio.run(talk()).closed_in.startswith("writing")


def test_how_urgent_a_call_is_is_asked_before_each() -> None:
    asked: list[Stage | None] = []

    class Noting(Here):
        def iterate(self, items, *, stage=None):  # type: ignore[no-untyped-def]
            return one_by_one(self, items, stage)

        async def run(self, call, *, stage=None):  # type: ignore[no-untyped-def]
            asked.append(stage)
            return await super().run(call, stage=stage)

    async def talk() -> list[int]:
        now = [Stage.EARLY_DRAFT]
        taken = []

        async for item in Staged(Noting(), lambda: now[0]).iterate(iter(range(3))):
            taken.append(item)
            now[0] = Stage.REPLY

        return taken

    assert asyncio.run(talk()) == [0, 1, 2]
    assert asked == [Stage.EARLY_DRAFT, Stage.REPLY, Stage.REPLY, Stage.REPLY]


def test_what_runs_on_the_loop_gives_the_same() -> None:
    async def talk() -> list[int]:
        here = Here()
        return [await here.run(lambda: 7), *[item async for item in here.iterate(iter((1, 2)))]]

    assert asyncio.run(talk()) == [7, 1, 2]
