"""What the writer is told of its prompt besides the tokens: which fact each belongs to, how well
that fact answers the question, where in it the token stands. Pure.

Rule 1. One clue for every prompt token but the last, which is the canvas's first input.
Rule 2. The token behind a fact stands for the end mark when it is copied: a fact read out ends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from atonce.llm.protocols import softmax

TEXT, FIRST, SECOND, THIRD, OTHER, TURN = range(6)
"""Kinds of prompt token: marks and role; facts by their rank; past turns and question."""
KINDS = 6
FEATURES = KINDS + 1
"""Kinds, one at a time, and the logarithm of the fact's chance."""
OFFSETS = 64
"""Places in a fact that are told apart; 0: not in a fact."""
CANVAS = 48
"""Most canvas positions that a tower tells apart."""
# Chances below this are alike; the shift keeps the feature around 0.
LOWEST_LOG, SHIFT = -6.0, 2.0


@dataclass(frozen=True, slots=True)
class Clues:
    """Of all prompt tokens but the last."""

    kinds: tuple[int, ...]
    """TEXT to TURN."""
    logs: tuple[float, ...]
    """Shifted logarithm of the chance of the token's fact; 0 outside of facts."""
    offsets: tuple[int, ...]
    """Place in its fact, from 1; 0 outside of facts."""
    copies: tuple[int, ...]
    """The token that is said when this one is copied."""
    best: tuple[tuple[int, ...], ...]
    """The tokens of the two best facts, best first."""
    chances: tuple[float, float, float]
    """Chances of the three best facts, 0 to 1."""


def find_clues(
    ids: Sequence[int],
    spans: Sequence[tuple[int, int]],
    turn: int,
    scores: Sequence[float],
    end: int,
    none: float = -math.inf,
) -> Clues:
    """ids: the whole prompt. spans: first token and one past the last of every fact. turn: where
    the past turns and the question begin. scores: logits of the facts, none: that no fact answers,
    as finder.py gives them: where none does, no fact is likely.
    """
    kinds = [TEXT] * turn + [TURN] * (len(ids) - 1 - turn)
    logs, offsets, copies = [0.0] * len(kinds), [0] * len(kinds), list(ids[:-1])
    chances = softmax([*scores, none])
    order = sorted(range(len(spans)), key=lambda fact: (-scores[fact], fact))
    for rank, fact in enumerate(order):
        start, stop = spans[fact]
        log = max(math.log(max(chances[fact], 1e-9)), LOWEST_LOG) + SHIFT
        for place, token in enumerate(range(start, stop + 1)):
            kinds[token] = FIRST + min(rank, OTHER - FIRST)
            logs[token] = log
            offsets[token] = min(place + 1, OFFSETS - 1)

        copies[stop] = end

    top = [chances[fact] for fact in order[:3]] + [0.0] * 3
    best = tuple(tuple(ids[slice(*spans[fact])]) for fact in order[:2])
    return Clues(
        tuple(kinds), tuple(logs), tuple(offsets), tuple(copies), best, (top[0], top[1], top[2])
    )
