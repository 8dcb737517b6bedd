"""How late the event loop is: what blocks it delays sound, and everybody else's turn.

Rule 1. A wake-up is asked for every 50 ms; the lag is how much later it comes.
Rule 2. Only a summary is kept: memory does not grow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NoReturn

from atonce.agent.events import LoopMeasured
from atonce.agent.timeline import at

EVERY_S = 0.05
SUMMARY_S = 10.0
"""Two hundred moments: enough for the second latest of a hundred."""


async def measure(clock: Callable[[], float], publish: Callable[[LoopMeasured], None]) -> NoReturn:
    """Measure for ever; a summary every ten seconds."""
    lags: list[float] = []
    loop = asyncio.get_running_loop()

    while True:
        wanted_s = loop.time() + EVERY_S
        await asyncio.sleep(EVERY_S)
        lags.append(max(0.0, loop.time() - wanted_s))

        if len(lags) >= SUMMARY_S / EVERY_S:
            publish(LoopMeasured(clock(), 1000 * at(lags, 0.99), 1000 * max(lags)))
            lags.clear()
