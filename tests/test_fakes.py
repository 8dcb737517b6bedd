"""Workers that run calls inline or slower, on the loop's clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from atonce.agent import virtual_time
from atonce.agent.fakes import Due, Effort, InlineWorker, PacedWorker
from atonce.agent.worker import Arbiter, Here, Stage
from atonce.config.processor import Shares

ONE_LANE = Shares(cores=2, hearing=2, writing=2, speaking=1, heavy_calls=1, speaks_beside=True)


def now_s() -> float:
    return asyncio.get_running_loop().time()


def taking(effort: Effort, seconds: float, result: str = "done") -> Callable[[], str]:
    """A call that declares how long it takes."""

    def call() -> str:
        effort.take(seconds)
        return result

    return call


def test_a_result_comes_when_it_is_due() -> None:
    async def run() -> tuple[str, float]:
        effort = Effort()
        return await InlineWorker(effort=effort).run(taking(effort, 2.0)), now_s()

    assert virtual_time.run(run()) == ("done", pytest.approx(2.0))


def test_calls_of_one_worker_come_one_after_the_other() -> None:
    ends: list[float] = []

    async def run() -> None:
        effort = Effort()
        worker = InlineWorker(effort=effort)

        async def one() -> None:
            await worker.run(taking(effort, 1.0))
            ends.append(now_s())

        async with asyncio.TaskGroup() as group:
            group.create_task(one())
            group.create_task(one())

    virtual_time.run(run())
    assert ends == [pytest.approx(1.0), pytest.approx(2.0)]


def test_the_more_urgent_one_is_next() -> None:
    order: list[str] = []

    async def run() -> None:
        effort, arbiter = Effort(), Arbiter(ONE_LANE)
        writing = InlineWorker(arbiter, Stage.EARLY_DRAFT, effort=effort)
        hearing = InlineWorker(arbiter, Stage.FINAL_TRANSCRIPT, effort=effort)

        async def work(worker: InlineWorker, name: str) -> None:
            order.append(await worker.run(taking(effort, 1.0, name)))

        async with asyncio.TaskGroup() as group:
            group.create_task(work(writing, "first draft"))
            group.create_task(work(writing, "second draft"))
            group.create_task(work(hearing, "transcript"))

    virtual_time.run(run())
    assert order == ["first draft", "transcript", "second draft"]


def test_a_late_result_keeps_nobody_else_waiting() -> None:
    async def run() -> tuple[float, float]:
        effort, arbiter = Effort(), Arbiter(ONE_LANE)
        slow = InlineWorker(
            arbiter, Stage.FINAL_TRANSCRIPT, effort=effort, pace=lambda _, s: Due(s, 3.0)
        )
        quick = InlineWorker(arbiter, Stage.REPLY, effort=effort)
        ends: list[float] = []

        async def work(worker: InlineWorker) -> None:
            await worker.run(taking(effort, 1.0))
            ends.append(now_s())

        async with asyncio.TaskGroup() as group:
            group.create_task(work(slow))
            group.create_task(work(quick))

        return ends[0], ends[1]

    assert virtual_time.run(run()) == (pytest.approx(2.0), pytest.approx(4.0))


def test_a_cancelled_wait_does_not_free_the_lane() -> None:
    async def run() -> float:
        effort, arbiter = Effort(), Arbiter(ONE_LANE)
        worker = InlineWorker(arbiter, Stage.REPLY, effort=effort)

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await worker.run(taking(effort, 5.0))

        await InlineWorker(arbiter, Stage.REPLY, effort=effort).run(taking(effort, 1.0))
        return now_s()

    assert virtual_time.run(run()) == pytest.approx(6.0)


def test_a_fault_reaches_whoever_waits_and_frees_the_lane() -> None:
    async def run() -> str:
        effort = Effort()
        worker = InlineWorker(effort=effort)

        def fail() -> str:
            raise ValueError("broken")

        with pytest.raises(ValueError, match="broken"):
            await worker.run(fail)

        return await worker.run(taking(effort, 1.0))

    assert virtual_time.run(run()) == "done"


@pytest.mark.parametrize(
    "worker",
    [
        lambda effort: InlineWorker(effort=effort),
        lambda _: PacedWorker(Here(), Stage.REPLY, lambda _, seconds: Due(seconds)),
    ],
)
def test_items_come_one_by_one(worker: Callable[[Effort], Any]) -> None:
    async def run() -> list[int]:
        return [item async for item in worker(Effort()).iterate(iter([1, 2, 3]))]

    assert virtual_time.run(run()) == [1, 2, 3]


def test_a_paced_worker_is_slower_than_its_calls() -> None:
    async def run() -> float:
        worker = PacedWorker(Here(), Stage.REPLY, lambda _, seconds: Due(seconds, 1.5))
        await worker.run(lambda: None)
        return now_s()

    assert virtual_time.run(run()) == pytest.approx(1.5)
