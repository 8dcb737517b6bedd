"""A writer without a model, to try everything else without one; and for tests of the rows a model
that guesses at random, on a clock that stands still until somebody takes time.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

from atonce.config.errors import EngineError
from atonce.config.schema import LlmSettings
from atonce.llm.commit import Guess, Marks
from atonce.llm.pace import Cost, Meter
from atonce.llm.protocols import Draft, Plan, Prompt, PromptCache, Writer
from atonce.llm.rows import Asked, Denoiser, Rows
from atonce.llm.sampler import denoise

MASK, END, FIRST_WORD = 0, 1, 2


def nearest_fact(prompt: Prompt) -> str:
    """The fact that shares the most words with the question; the first of several."""
    asked = words(prompt.question)
    return max(prompt.facts, key=lambda fact: len(asked & words(fact)), default="I don't know.")


@dataclass(frozen=True, slots=True)
class FakePrompt:
    """A prompt that was taken note of."""

    prompt: Prompt
    """What the writer was told."""

    @property
    def tokens(self) -> int:
        """Its words."""
        told = self.prompt
        past = [text for turn in told.history for text in (turn.question, turn.reply)]
        return sum(len(text.split()) for text in (told.role, *told.facts, *past, told.question))


class FakeWriter:
    """Knows its reply from the start, and settles it word by word as a denoiser would.

    A token is a word with the blank before it. Pinned words stay; the reply goes on around them.
    """

    def __init__(
        self,
        answer: Callable[[Prompt], str] = nearest_fact,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """answer: what to reply to a prompt. clock: the one that deadlines are on, seconds."""
        self._answer, self._clock = answer, clock
        self._words: list[str] = []

    @classmethod
    def from_settings(cls, settings: LlmSettings) -> Self:  # noqa: ARG003
        """It has nothing to set."""
        return cls()

    @property
    def name(self) -> str:
        """Engine name as in the settings."""
        return "fake"

    @property
    def languages(self) -> tuple[str, ...]:
        """It repeats whatever it is given."""
        return ("en",)

    @property
    def max_canvas(self) -> int:
        """As the settings allow."""
        return 400

    def encode(self, text: str) -> list[int]:
        """The tokens of a text, to pin it on a canvas."""
        return [self._token(word) for word in re.findall(r"\s*\S+", text)]

    def read(self, prompt: Prompt) -> FakePrompt:
        """Take note of a prompt."""
        return FakePrompt(prompt)

    def write(
        self, cache: PromptCache, plan: Plan, *, given: Sequence[int | None] | None = None
    ) -> Iterator[Draft]:
        """Denoise one reply; see the protocol."""
        reply = self._reply(cache)  # asked for once: the next time it may be another
        reciter = Reciter(lambda _: reply, self._spell)
        rows = Rows(reciter, Meter(Cost(0.0, 1e-6)), clock=self._clock)
        return denoise(rows, cache, plan, given)

    @property
    def marks(self) -> Marks:
        """Its special tokens."""
        return Marks(MASK, END)

    def rows(self, *, most: int) -> Rows:
        """Rows to be written together; each is a reply to its own prompt."""
        reciter = Reciter(self._reply, self._spell)
        return Rows(reciter, Meter(Cost(0.0, 1e-6)), clock=self._clock, most=most)

    def look(self, rows: Sequence[Asked]) -> list[list[Guess]]:
        """One pass for all rows."""
        return Reciter(self._reply, self._spell).look(rows)

    def likelihoods(
        self, prompt: Prompt, beginning: Sequence[int], endings: Sequence[Sequence[int]]
    ) -> list[float]:
        """More likely the more words stand side by side in a fact, and the fewer there are."""
        known = {pair for fact in prompt.facts for pair in pairwise(fact.lower().split())}
        texts = ["".join(self._spell([*beginning, *ending])).lower() for ending in endings]
        said = [text.split() for text in texts]
        return [
            -float(sum(pair not in known for pair in pairwise(words))) - len(words) / 100
            for words in said
        ]

    def _reply(self, cache: PromptCache) -> list[int]:
        if not isinstance(cache, FakePrompt):
            raise EngineError("the fake writer was given a prompt that another engine read.")

        return self.encode(self._answer(cache.prompt)) or self.encode("Hm.")

    def _token(self, word: str) -> int:
        if word not in self._words:
            self._words.append(word)

        return self._words.index(word) + FIRST_WORD

    def _spell(self, tokens: Sequence[int | None]) -> list[str]:
        return [
            "" if token is None or token < FIRST_WORD else self._words[token - FIRST_WORD]
            for token in tokens
        ]


class Reciter:
    """A denoiser that knows the reply to every prompt."""

    def __init__(
        self,
        reply: Callable[[PromptCache], Sequence[int]],
        spell: Callable[..., Sequence[str]],
    ) -> None:
        """reply: its tokens. spell: see Denoiser."""
        self._reply, self._spell = reply, spell

    @property
    def marks(self) -> Marks:
        """Its special tokens."""
        return Marks(MASK, END)

    def check(self, prompt: PromptCache, plan: Plan, given: Sequence[int | None]) -> None:
        """It writes anything."""

    def look(self, rows: Sequence[Asked]) -> list[list[Guess]]:
        """Every row's own reply."""
        return [
            [
                knows(self._reply(row.prompt), i)
                for i, token in enumerate(row.canvas)
                if token == MASK
            ]
            for row in rows
        ]

    def spell(self, tokens: Sequence[int | None]) -> Sequence[str]:
        """What each token adds to the text."""
        return self._spell(tokens)


def knows(reply: Sequence[int], position: int) -> Guess:
    """A guess that is sure of the reply, a little surer on the left, but never calm."""
    sure = 0.999 - position / 10_000
    if position < len(reply):
        return Guess(position, (reply[position],), (sure,), end=1 - sure, entropy=1.0)

    return Guess(position, (FIRST_WORD,), (1 - sure,), end=sure, entropy=1.0)


class VirtualClock:
    """Time that passes only where somebody takes it."""

    def __init__(self, now_s: float = 100.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        """Seconds."""
        return self.now_s


@dataclass(frozen=True, slots=True)
class Seed:
    """A prompt that is only the seed of what is guessed about it."""

    seed: int
    """Anything."""

    @property
    def tokens(self) -> int:
        """One."""
        return 1


class Guesser:
    """A denoiser that guesses at random: the same for the same prompt and canvas.

    A pass takes what `cost` says, times `slowness`: one factor for each pass, the last for all that
    follow. Prompts whose seed is in `broken` give no numbers.
    """

    def __init__(self, clock: VirtualClock, cost: Cost, entropy: float = 1.0) -> None:
        """entropy: of every guess, nats; a small one lets a stable draft end early."""
        self.clock, self.cost, self.entropy = clock, cost, entropy
        self.slowness = [1.0]
        self.broken: set[int] = set()
        self.passes: list[int] = []
        """Rows in each pass so far."""

    @property
    def marks(self) -> Marks:
        """Its special tokens."""
        return Marks(MASK, END)

    def check(self, prompt: PromptCache, plan: Plan, given: Sequence[int | None]) -> None:
        """It writes anything."""

    def look(self, rows: Sequence[Asked]) -> list[list[Guess] | None]:
        """One pass, which takes its time."""
        slow = self.slowness[min(len(self.passes), len(self.slowness) - 1)]
        self.passes.append(len(rows))
        self.clock.now_s += self.cost.seconds(sum(len(row.canvas) for row in rows)) * slow
        return [self.guesses(row) for row in rows]

    def guesses(self, row: Asked) -> list[Guess] | None:
        """About one row."""
        seed = row.prompt.seed if isinstance(row.prompt, Seed) else 0
        dice = random.Random(f"{seed} {list(row.canvas)}")
        return (
            None
            if seed in self.broken
            else [
                self._guess(dice, i, len(row.canvas))
                for i, token in enumerate(row.canvas)
                if token == MASK
            ]
        )

    def _guess(self, dice: random.Random, position: int, length: int) -> Guess:
        tokens = tuple(dice.sample(range(FIRST_WORD, FIRST_WORD + 7), 4))
        confidences = tuple(sorted((dice.random() for _ in tokens), reverse=True))
        end = dice.random() * position / length  # ends are likelier further right
        return Guess(position, tokens, confidences, end, self.entropy)

    def spell(self, tokens: Sequence[int | None]) -> list[str]:
        """Every token is its number."""
        return ["" if token is None else f" {token}" for token in tokens]


def words(text: str) -> set[str]:
    """Its words, for comparison."""
    return set(re.findall(r"[a-z0-9]+", text.lower()))


_: type[Writer] = FakeWriter
__: type[Denoiser] = Reciter
___: type[Denoiser] = Guesser
