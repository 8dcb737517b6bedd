"""Keys of a terminal, one by one, and the terminal as it was afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator

from atonce.config.errors import UsageError


def are_there() -> bool:
    """Standard input is a terminal of a system that can tell keys (not Windows)."""
    try:
        import termios  # noqa: F401
    except ImportError:
        return False

    return sys.stdin is not None and sys.stdin.isatty()


@contextlib.contextmanager
def read(pressed: Callable[[str], None]) -> Iterator[None]:
    """Inside, `pressed` is called in the event loop for every key; UsageError: no terminal."""
    if not are_there():
        raise UsageError("keys can be read only from a terminal: start it in one")

    import termios
    import tty

    loop, terminal = asyncio.get_running_loop(), sys.stdin.fileno()
    before = termios.tcgetattr(terminal)

    def take() -> None:
        for key in os.read(terminal, 64).decode(errors="ignore"):
            pressed(key)

    tty.setcbreak(terminal)
    loop.add_reader(terminal, take)
    # After Ctrl-Z and fg the terminal is the shell's way again.
    loop.add_signal_handler(signal.SIGCONT, tty.setcbreak, terminal)

    try:
        yield
    finally:
        loop.remove_reader(terminal)
        loop.remove_signal_handler(signal.SIGCONT)
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
