"""The loop whose clock jumps."""

from __future__ import annotations

import asyncio
import time

import pytest

from atonce.agent import virtual_time


def now_s() -> float:
    return asyncio.get_running_loop().time()


def test_an_hour_passes_at_once() -> None:
    async def sleep() -> float:
        await asyncio.sleep(3600)
        return now_s()

    began_s = time.monotonic()
    assert virtual_time.run(sleep()) == pytest.approx(3600)
    assert time.monotonic() - began_s < 60


def test_those_who_wait_wake_in_the_order_of_their_times() -> None:
    woken: list[tuple[str, float]] = []

    async def wait(name: str, *pauses_s: float) -> None:
        for pause_s in pauses_s:
            await asyncio.sleep(pause_s)
            woken.append((name, round(now_s(), 6)))

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(wait("slow", 0.5, 0.5))
            group.create_task(wait("quick", 0.2, 0.2, 0.2))

    virtual_time.run(all_of_them())
    assert woken == [
        ("quick", 0.2),
        ("quick", 0.4),
        ("slow", 0.5),
        ("quick", 0.6),
        ("slow", 1.0),
    ]


def test_time_limits_hold() -> None:
    async def limited() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await asyncio.sleep(60)

        return now_s()

    assert virtual_time.run(limited()) == pytest.approx(5)


def test_time_stands_still_while_something_runs() -> None:
    async def busy() -> float:
        time.sleep(0.01)  # noqa: ASYNC251  # real time that virtual time must not see
        return now_s()

    assert virtual_time.run(busy()) == 0.0


def test_time_stands_still_while_a_thread_works() -> None:
    async def threaded() -> tuple[str, float]:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(10))
            answer = await asyncio.to_thread(lambda: (time.sleep(0.02), "done")[1])
            at_s = now_s()

        return answer, at_s

    assert virtual_time.run(threaded()) == ("done", 0.0)


def test_waiting_for_what_never_happens_is_an_error() -> None:
    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(virtual_time.StuckError, match="never happen"):
        virtual_time.run(wait())
