"""What a trial has written so far: a file for each state of writer and code, a line for each turn.

Rule 1. A line is whole or it is not read: a trial may be killed at any time.
Rule 2. The name of the file holds the writer's weights and the code that writes and checks: with
        other weights or other code nothing old is taken over.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from atonce.llm.protocols import Prompt

SCORED_LATER = frozenset(
    f"atonce.{name}"
    for name in (
        "agent.cli",
        "agent.trial",
        "agent.trial_log",
        "agent.tune",
        "llm.corpus",
        "llm.evaluation",
        "llm.figures",
        "llm.heard",
        "llm.intervals",
        "llm.scoring",
    )
)
"""Modules that change no reply."""


@dataclass(frozen=True, slots=True)
class Told:
    """One reply as it would be spoken."""

    reply: str
    """Its text."""
    source: str
    """Where the words come from."""
    steps: int
    """Denoising steps, repairs included."""
    repaired: int
    """How often it was repaired."""
    ms: float | None
    """How long it took, the reading of the prompt left out; None where it was not written alone."""


@dataclass(slots=True)
class TrialLog:
    """The replies of one state of writer and code."""

    path: Path
    """The file; made with the first line."""
    _told: dict[str, dict[str, Told]] = field(default_factory=dict)
    _ranks: dict[str, list[int]] = field(default_factory=dict)
    _is_cut: bool = False

    def __post_init__(self) -> None:
        if not self.path.exists():
            return

        text = self.path.read_text("utf-8")
        self._is_cut = not text.endswith("\n")
        for line in text.splitlines():
            try:
                self._take(json.loads(line))
            except (ValueError, KeyError, TypeError):  # the line that a kill cut off
                continue

    def _take(self, entry: Mapping[str, object]) -> None:
        told, turn, ranks = entry["told"], str(entry["turn"]), entry["ranks"]
        if not isinstance(told, dict) or not isinstance(ranks, list):
            raise TypeError

        replies = {way: Told(**values) for way, values in told.items()}
        self._told.setdefault(turn, {}).update(replies)
        self._ranks[turn] = [int(rank) for rank in ranks]

    def has(self, prompt: Prompt, ways: Iterable[str]) -> bool:
        """Whether this turn was written in all these ways."""
        return self._told.get(turn_name(prompt), {}).keys() >= set(ways)

    def told(self, prompt: Prompt, way: str) -> Told:
        """What was written."""
        return self._told[turn_name(prompt)][way]

    def ranks(self, prompt: Prompt) -> Sequence[int]:
        """The rank of every fact, as the writer was told."""
        return self._ranks[turn_name(prompt)]

    def add(self, prompt: Prompt, told: Mapping[str, Told], ranks: Sequence[int]) -> None:
        """Keep what was written of a turn."""
        turn = turn_name(prompt)
        entry = {
            "turn": turn,
            "ranks": list(ranks),
            "told": {way: asdict(one) for way, one in told.items()},
        }
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(("\n" if self._is_cut else "") + json.dumps(entry) + "\n")

        self._is_cut = False
        self._take(entry)


def turn_name(prompt: Prompt) -> str:
    """The same for the same prompt, in every run."""
    return hashlib.sha256(repr(prompt).encode()).hexdigest()[:20]


def state_name(weights: Iterable[Path], *words: str) -> str:
    """Of these files, of all code that is loaded and makes replies, and of more words."""
    code = (
        Path(str(module.__file__))
        for name, module in sorted(sys.modules.items())
        if name.startswith("atonce.")
        and name not in SCORED_LATER
        and not name.startswith("atonce.config")
        and getattr(module, "__file__", None)
    )
    digest = hashlib.sha256(repr(words).encode())
    for path in (*weights, *code):
        digest.update(hashlib.sha256(path.read_bytes()).digest())

    return digest.hexdigest()[:16]
