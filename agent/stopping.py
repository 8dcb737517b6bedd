"""How a program that runs until somebody stops it is stopped: in order, never by a traceback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import NoReturn, TypeVar

from atonce.config.errors import AtonceError

T = TypeVar("T")

STOPPED = 130
"""What a shell expects of a program that Ctrl-C ended at once."""


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Ctrl-C and SIGTERM cancel the task that is in here; a second one ends the process at once."""
    task = asyncio.current_task()
    assert task is not None  # it runs
    asked: list[bool] = []

    def stop() -> None:
        if asked:
            os._exit(STOPPED)

        asked.append(True)
        task.cancel()

    with signals(stop):
        yield


@contextlib.contextmanager
def signals(stop: Callable[[], None]) -> Iterator[None]:
    """Inside it Ctrl-C and SIGTERM call this in the event loop, each time."""
    loop = asyncio.get_running_loop()
    # Windows' event loop has no such handlers: there Ctrl-C arrives as KeyboardInterrupt.
    numbers = (signal.SIGINT, signal.SIGTERM) if sys.platform != "win32" else ()

    for number in numbers:
        loop.add_signal_handler(number, stop)

    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def leave(error: AtonceError | None) -> NoReturn:
    """End the process where a thread hangs in a library: Python would wait for it for ever."""
    if error is not None:
        sys.stderr.write(f"atonce: {error}\n")

    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if error is None else error.exit_code)


def end(fault: AtonceError | None, *, is_hanging: bool) -> None:
    """Tell a fault, if there was one; where a thread hangs in a library, that ends the process."""
    if is_hanging:
        leave(fault)

    if fault is not None:
        raise fault


def within(seconds: float, call: Callable[[], T], error: AtonceError) -> T:
    """What a call gives that may hang; when it does, the process ends with this error."""
    given: list[T] = []
    faults: list[AtonceError] = []

    def work() -> None:
        try:
            given.append(call())
        except AtonceError as fault:
            faults.append(fault)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)

    if thread.is_alive():
        leave(error)

    if faults:
        raise faults[0]

    return given[0]
