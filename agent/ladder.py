"""What a reply may cost, from all that is wanted to the least that can be said: rungs. Pure.

Rule 1. The order is fixed: early drafts, partial transcripts, K, canvas, an immediate answer, the
        writer itself. No model of the end of a turn runs that could be given up (docs/ears.md).
Rule 2. Every rung holds all that the rungs above it have given up.
Rule 3. No rung speaks a part of a reply before the whole stands and was checked: see
        docs/watchdog.md for what that would gain.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from atonce.llm.pace import NARROWER


class Given(IntEnum):
    """What was given up last; what comes before it is given up as well."""

    NOTHING = 0
    """All is as the settings want it."""
    EARLY_DRAFTS = 1
    """No reply to what breaks off."""
    PARTIALS = 2
    """No transcripts while the person speaks."""
    STEPS = 3
    """Fewer denoising steps."""
    CANVAS = 4
    """A shorter reply."""
    PROMPTNESS = 5
    """A sentence of the settings is said meanwhile; the reply comes late."""
    WRITER = 6
    """Whoever needs no steps: the fact that clearly matches, read out; where none does, the reply
    is written in a single step."""


# Each of these may take turns with a reply that is being written: so many times its steps must fit
# for it to be kept.
RIVALS = {Given.NOTHING: 1.25, Given.EARLY_DRAFTS: 1.1}


@dataclass(frozen=True, slots=True)
class Rung:
    """One way to write a reply."""

    given: Given
    """What was given up for it."""
    steps: int
    """K."""
    canvas: int
    """Positions."""

    def before_sound(self, wanted: float) -> float:
        """Steps before the first sound, of a reply that mostly takes so many: none where a fact is
        read out."""
        return 0 if self.given is Given.WRITER else min(self.steps, wanted)

    @property
    def rivalry(self) -> float:
        """How many times its steps must fit."""
        return RIVALS.get(self.given, 1.0)


TOLD = {
    Given.NOTHING: "K {steps}",
    Given.EARLY_DRAFTS: "K {steps}, no early drafts",
    Given.PARTIALS: "K {steps}, no early drafts, no partial transcripts",
    Given.STEPS: "K {steps}",
    Given.CANVAS: "canvas {canvas}",
    Given.PROMPTNESS: "the reply will be late, and that is said",
    Given.WRITER: "no time for a step: a fact, where one clearly matches",
}
"""How each rung is told; {steps} and {canvas} are its own."""


def ladder(
    *, steps: int, min_steps: int, canvas: int, shortest: int, last: int
) -> tuple[Rung, ...]:
    """All rungs, from the top. min_steps above steps is taken for steps. shortest: canvas of a
    planned reply; last: of one that there is no time for."""
    least = max(1, min(min_steps, steps))
    narrow = min(canvas, shortest)
    rungs = [Rung(given, steps, canvas) for given in Given if given < Given.STEPS]
    rungs += [Rung(Given.STEPS, k, canvas) for k in range(steps - 1, least - 1, -1)]
    sizes = [*range(canvas - NARROWER, narrow, -NARROWER), *([narrow] if narrow < canvas else [])]
    rungs += [Rung(Given.CANVAS, least, size) for size in sizes]
    late = Rung(Given.PROMPTNESS, least, narrow)
    return (*rungs, late, Rung(Given.WRITER, least, min(narrow, last)))
