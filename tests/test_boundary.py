"""Faults that nobody waits for are told, in one line."""

from __future__ import annotations

import asyncio
import gc
import logging

import pytest

from atonce.agent.boundary import tell_strays


async def _fail(error: Exception) -> None:
    loop = asyncio.get_running_loop()
    tell_strays(loop)

    async def stray() -> None:
        raise error

    task = loop.create_task(stray())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    gc.collect()
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("error", "level"),
    [(ValueError("broken"), logging.WARNING), (ConnectionError("gone"), logging.DEBUG)],
)
def test_a_stray_fault_is_told_without_a_traceback(
    error: Exception, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asyncio.run(_fail(error))
    (told,) = [record for record in caplog.records if record.name.endswith("boundary")]
    assert told.levelno == level
    assert told.exc_info is None
    assert str(error) in told.getMessage()
    assert "\n" not in told.getMessage()
