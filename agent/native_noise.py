"""What libraries write to standard error behind Python's back, caught while a picture is drawn.

ALSA and PortAudio report every unplugged device there. It becomes lines of the log (level info).
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator
from typing import IO

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def caught() -> Iterator[None]:
    """Standard error is caught inside; Python's own, and its log, still go where they went."""
    sys.stderr.flush()
    kept = os.dup(2)
    reader, writer = os.pipe()
    os.dup2(writer, 2)
    os.close(writer)
    thread = threading.Thread(target=_read, args=(reader,), name="standard error", daemon=True)
    thread.start()

    try:
        with os.fdopen(os.dup(kept), "w", buffering=1) as ours, _python_writes_to(ours):
            yield
    finally:
        os.dup2(kept, 2)  # closes the pipe's last end: the thread reads the rest and is done
        os.close(kept)
        thread.join(1.0)


@contextlib.contextmanager
def _python_writes_to(ours: IO[str]) -> Iterator[None]:
    before = sys.stderr
    handlers = [
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.StreamHandler) and handler.stream is before
    ]
    sys.stderr = ours
    for handler in handlers:
        handler.setStream(ours)

    try:
        yield
    finally:
        sys.stderr = before
        for handler in handlers:
            handler.setStream(before)


def _read(reader: int) -> None:
    with os.fdopen(reader, "r", errors="replace") as lines:
        for line in lines:
            if line.strip():
                logger.info("%s", line.rstrip())
