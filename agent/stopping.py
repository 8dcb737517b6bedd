"""How a program that runs until somebody stops it is stopped: in order, never by a traceback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator

STOPPED = 130
"""What a shell expects of a program that Ctrl-C ended at once."""


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Ctrl-C and SIGTERM cancel the task that is in here; a second one ends the process at once."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # it runs
    asked: list[bool] = []

    def stop() -> None:
        if asked:
            os._exit(STOPPED)

        asked.append(True)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)

    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
