"""How the processor is shared: threads of each stage and heavy calls at once, by number of cores.

Heavy calls (a transcript, a denoising step) use all their threads at full load. Two of them on two
cores took 1.8 to 2 times as long each, so they take turns; a voice on one thread runs beside them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shares:
    """What each stage gets."""

    cores: int
    """From this number of cores on."""
    hearing: int
    """Threads of the transcriber."""
    writing: int
    """Threads of the writer."""
    speaking: int
    """Threads of the voice: more than one gained nothing, and took the others' core."""
    heavy_calls: int
    """Transcripts and denoising steps that run at the same time."""
    speaks_beside: bool
    """The voice runs beside a heavy call instead of taking turns with it."""


TABLE = (
    Shares(cores=1, hearing=1, writing=1, speaking=1, heavy_calls=1, speaks_beside=False),
    Shares(cores=2, hearing=2, writing=2, speaking=1, heavy_calls=1, speaks_beside=True),
    Shares(cores=4, hearing=3, writing=3, speaking=1, heavy_calls=1, speaks_beside=True),
    Shares(cores=8, hearing=4, writing=4, speaking=1, heavy_calls=2, speaks_beside=True),
    Shares(cores=16, hearing=4, writing=8, speaking=1, heavy_calls=2, speaks_beside=True),
)
"""The row for two cores was measured (scripts/bench_contention); those above follow from it: one
core for the voice, and heavy calls that do not want more threads than there are."""


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def shares(count: int | None = None) -> Shares:
    """The row for so many cores; None: for this machine."""
    there = cores() if count is None else count
    return max((row for row in TABLE if row.cores <= there), default=TABLE[0], key=_cores)


def _cores(row: Shares) -> int:
    return row.cores
