"""A writer without a model: for tests, and to try everything else without one."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
        if not isinstance(cache, FakePrompt):
            raise EngineError("the fake writer was given a prompt that another engine read.")

        reply = self.encode(self._answer(cache.prompt)) or self.encode("Hm.")
        rows = Rows(Reciter(reply, self._spell), Meter(Cost(0.0, 1e-6)), clock=self._clock)
        return denoise(rows, cache, plan, given)

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
    """A denoiser that knows the one reply it is to write."""

    def __init__(self, reply: Sequence[int], spell: Callable[..., Sequence[str]]) -> None:
        """reply: its tokens. spell: see Denoiser."""
        self._reply, self._spell = reply, spell

    @property
    def marks(self) -> Marks:
        """Its special tokens."""
        return Marks(MASK, END)

    def check(self, prompt: PromptCache, plan: Plan, given: Sequence[int | None]) -> None:
        """It writes anything."""

    def look(self, rows: Sequence[Asked]) -> list[list[Guess]]:
        """The same reply for every row."""
        return [
            [knows(self._reply, i) for i, token in enumerate(row.canvas) if token == MASK]
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


def words(text: str) -> set[str]:
    """Its words, for comparison."""
    return set(re.findall(r"[a-z0-9]+", text.lower()))


_: type[Writer] = FakeWriter
__: type[Denoiser] = Reciter
