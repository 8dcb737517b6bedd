"""What a writer is: the data that goes in and comes out, and the protocols engines fulfil."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Exchange:
    """One past turn of the talk, as it was spoken."""

    question: str
    """What the person said."""
    reply: str
    """What the person heard of the reply."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the writer is told, free of any model's template: each engine renders it in its own."""

    role: str
    """Who the agent is; completes "You are …"."""
    facts: tuple[str, ...]
    """Everything the agent knows, in a fixed order: role and facts are the cached prefix."""
    question: str
    """What the person said in this turn."""
    history: tuple[Exchange, ...] = ()
    """Past turns, oldest first."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How one reply is to be written."""

    steps: int
    """K: denoising steps, at least 1; a deadline may leave time for fewer."""
    canvas: int
    """Positions that are denoised together, end mark included; a deadline may leave fewer."""
    rule: str = "cosine"
    """Name of the commit rule, see commit.py."""
    threshold: float = 0.9
    """Confidence from which the threshold rule commits, 0 to 1."""
    seed: int = 0
    """Same seed, same prompt, same plan: same reply."""
    min_steps: int = 1
    """Where the deadline leaves time for fewer steps than this, the canvas is made smaller."""
    deadline_s: float | None = None
    """When the reply has to stand, seconds on the engine's clock; None: whenever it does."""
    factor: float = 1.0
    """How bold the factor rule is: 0 commits one position a step."""
    entropy_bound: float = 0.1
    """Entropy that the entropy rule lets the positions of one step have together, nats."""
    left_bias: float = 0.0
    """What each position further right costs in surety: above 0 replies grow from the left."""
    shortest: int = 8
    """Positions that a deadline leaves at least."""
    ends_early: bool = True
    """The reply ends as soon as two steps agree on it without doubt; False: after K steps, or when
    nothing is open."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One canvas position."""

    token: int
    """Token id; the mask id while open."""
    text: str
    """The characters this token adds to the reply; empty while open and after the end mark."""
    is_open: bool
    """Still masked."""
    confidence: float
    """Probability of the token when it was committed, 0 to 1; 1 for a pinned one."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The canvas after one denoising step."""

    step: int
    """Steps done, from 1."""
    steps: int
    """K: steps that it will have taken, as planned after this one."""
    cells: tuple[Cell, ...]
    """One for every canvas position."""
    forced: bool = False
    """The deadline cut steps off: what was committed last was less sure than planned."""

    @property
    def text(self) -> str:
        """The reply so far, open positions left out."""
        return "".join(cell.text for cell in self.cells).strip()

    @property
    def is_finished(self) -> bool:
        """No position is open."""
        return not any(cell.is_open for cell in self.cells)


@dataclass(frozen=True, slots=True)
class Found:
    """Which facts answer a question: logits; their softmax is how likely each outcome is."""

    scores: tuple[float, ...]
    """One for every fact: it answers the question."""
    none: float = -math.inf
    """No fact does; minus infinity where that was not asked."""
    talk: float = -math.inf
    """Log-odds that nothing is asked: a greeting, thanks; minus infinity where nobody looked."""
    leans: bool = True
    """The last turn is needed to answer; False: the question was looked at without it."""

    @property
    def chances(self) -> tuple[float, ...]:
        """How likely each fact is the one, 0 to 1; what is left of 1 is that none is."""
        return tuple(softmax([*self.scores, self.none])[:-1])


def softmax(scores: Sequence[float]) -> list[float]:
    """Logits to chances."""
    highest = max(scores)
    if highest == -math.inf:  # nothing to choose from
        return [0.0] * len(scores)

    weights = [math.exp(score - highest) for score in scores]
    return [weight / sum(weights) for weight in weights]


class PromptCache(Protocol):
    """A prompt that was read, whatever the engine keeps of it."""

    @property
    def tokens(self) -> int:
        """Length of the whole prompt in tokens."""
        ...


@runtime_checkable
class Searched(Protocol):
    """A prompt that was read by an engine that looks for the facts that answer; not all do."""

    @property
    def found(self) -> Found:
        """What it found."""
        ...


class Writer(Protocol):
    """Writes whole replies. Blocking; called from one thread."""

    @property
    def name(self) -> str:
        """Engine name as in the settings."""
        ...

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages it writes (ISO 639-1)."""
        ...

    @property
    def max_canvas(self) -> int:
        """Longest canvas it takes."""
        ...

    def read(self, prompt: Prompt) -> PromptCache:
        """Read the prompt once; the prefix of role and facts is kept from call to call."""
        ...

    def write(
        self, cache: PromptCache, plan: Plan, *, given: Sequence[int | None] | None = None
    ) -> Iterator[Draft]:
        """Denoise one reply; yields after every step, the caller may stop between two.

        given: a token id for every canvas position that is pinned, None for those to write;
        its length is the plan's canvas. None: all positions are open.
        """
        ...


@runtime_checkable
class Infiller(Protocol):
    """A writer that declares to rewrite part of any text, with what stands on both sides."""

    @property
    def max_canvas(self) -> int:
        """Longest canvas it takes."""
        ...

    def infill(self, before: str, after: str, plan: Plan) -> Iterator[Draft]:
        """What stands between two texts; yields after every step, like Writer.write."""
        ...
