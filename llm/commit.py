"""Commit rules: which open positions are settled in a denoising step, and with which token. Pure.

Rule 1. Whatever is chosen, nothing is open after step K; every step settles at least one position.
Rule 2. The mask is never committed.
Rule 3. The end mark is committed only when nothing before it is open, and then fills what
        follows; never before a word that stands already, and never as the whole reply.
Rule 4. Of two neighbours only one is settled in a step, unless both are confident: they were
        guessed without knowing of each other. The quota wins; the last step takes what is left.
Rule 5. A token does not stand twice in a row, unless it is a digit or very confident.
Rule 6. The same guesses and the same seed give the same choices.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from atonce.llm.protocols import Plan

# Two neighbours this sure may be settled together: a long word's pieces, "5:45 pm".
CONFIDENT = 0.9
# A token this sure may repeat its neighbour.
VERY_CONFIDENT = 0.98
# How far a seed other than 0 strays from the best guess; at 1 tokens are drawn as the model weighs
# them, which garbles facts.
TEMPERATURE = 0.5


@dataclass(frozen=True, slots=True)
class Marks:
    """The ids that mean something to the rules."""

    mask: int
    """An open position."""
    end: int
    """The end of the reply; also fills what follows it."""
    repeatable: frozenset[int] = frozenset()
    """Tokens that may stand twice in a row: digits."""


@dataclass(frozen=True, slots=True)
class Guess:
    """What the model thinks of one open position."""

    position: int
    """On the canvas, from 0."""
    tokens: tuple[int, ...]
    """The likeliest tokens, best first; neither the mask nor the end mark."""
    confidences: tuple[float, ...]
    """Their probabilities, 0 to 1."""
    end: float
    """Probability that the reply has ended here, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One position settled."""

    position: int
    """On the canvas, from 0."""
    token: int
    """What stands there from now on."""
    confidence: float
    """Probability it was given, 0 to 1."""


def settle(
    canvas: Sequence[int], guesses: Sequence[Guess], *, plan: Plan, step: int, marks: Marks
) -> list[Choice]:
    """The choices of one step, from 1 to plan.steps; guesses: one for every open position."""
    board = list(canvas)
    end = reply_end(board, guesses, marks)
    waiting = {g.position: draw(g, plan.seed, step) for g in guesses if g.position < end}
    sure = sum(guess.confidences[0] >= plan.threshold for guess in waiting.values())
    quota = RULES[plan.rule](len(waiting), step, plan.steps, sure)
    choices: list[Choice] = []
    while waiting and len(choices) < quota:
        choice = next_choice(board, waiting, choices, marks)
        board[choice.position] = choice.token
        del waiting[choice.position]
        choices.append(choice)

    if not waiting:
        choices += (Choice(g.position, marks.end, g.end) for g in guesses if g.position >= end)

    return choices


def reply_end(board: Sequence[int], guesses: Sequence[Guess], marks: Marks) -> int:
    """Where the reply most likely ends: the position of its end mark, or the canvas's length.

    Of all ends behind the last settled word, the one under which the guesses "not yet ended" before
    it and "ended" from it on are together most likely.
    """
    words = [i for i, token in enumerate(board) if token not in (marks.mask, marks.end)]
    first = max(words, default=0) + 1
    behind = [guess for guess in guesses if guess.position >= first]
    if not behind:
        return first if marks.end in board[first:] else len(board)

    likelihood = best = sum(math.log(max(guess.end, 1e-9)) for guess in behind)
    end = behind[0].position
    for guess in behind:
        likelihood += math.log(max(1 - guess.end, 1e-9)) - math.log(max(guess.end, 1e-9))
        if likelihood > best:
            best, end = likelihood, guess.position + 1

    return end


def draw(guess: Guess, seed: int, step: int) -> Guess:
    """The guess as it is for seed 0; for others its tokens in an order drawn by their weight."""
    if seed == 0:
        return guess

    # A text as seed: the same on every machine, and every position has dice of its own, so that it
    # does not matter what else is drawn.
    dice = random.Random(f"{seed} {step} {guess.position}")
    noise = [-math.log(-math.log(dice.uniform(1e-9, 1 - 1e-9))) for _ in guess.tokens]
    weights = [math.log(max(c, 1e-9)) for c in guess.confidences]
    order = sorted(
        range(len(noise)), key=lambda rank: weights[rank] + TEMPERATURE * noise[rank], reverse=True
    )
    tokens = tuple(guess.tokens[rank] for rank in order)
    confidences = tuple(guess.confidences[rank] for rank in order)
    return Guess(guess.position, tokens, confidences, guess.end)


def next_choice(
    board: Sequence[int], waiting: Mapping[int, Guess], taken: Sequence[Choice], marks: Marks
) -> Choice:
    """The surest position that crowds no choice of this step; if there is none, the surest."""
    choices = [best_token(board, guess, marks) for guess in waiting.values()]
    apart = [choice for choice in choices if not crowds(choice, taken)]
    return max(apart or choices, key=lambda choice: (choice.confidence, -choice.position))


def best_token(board: Sequence[int], guess: Guess, marks: Marks) -> Choice:
    """The likeliest token that does not repeat a neighbour (rule 5); if all do, the likeliest."""
    i = guess.position
    neighbours = {board[j] for j in (i - 1, i + 1) if 0 <= j < len(board)} - marks.repeatable
    for token, confidence in zip(guess.tokens, guess.confidences, strict=True):
        if token not in neighbours or confidence >= VERY_CONFIDENT:
            return Choice(i, token, confidence)

    return Choice(i, guess.tokens[0], guess.confidences[0])


def crowds(choice: Choice, taken: Sequence[Choice]) -> bool:
    """Whether it stands beside a choice of the same step without both being confident (rule 4)."""
    return any(
        abs(choice.position - other.position) == 1
        and min(choice.confidence, other.confidence) < CONFIDENT
        for other in taken
    )


# ---- how many are settled in a step ----


def fixed_quota(work: int, step: int, steps: int, sure: int) -> int:  # noqa: ARG001
    """The same number in every step."""
    return math.ceil(work / (steps - step + 1))


def cosine_quota(work: int, step: int, steps: int, sure: int) -> int:  # noqa: ARG001
    """Few at first, when little is known, many at last: the share left open falls as a cosine.

    Reckoned from what is open now, so that it also fits when the reply's length is seen anew.
    """
    left = math.cos(math.pi / 2 * step / steps) / math.cos(math.pi / 2 * (step - 1) / steps)
    # At the last step the cosine is not quite 0; rounding keeps that from leaving one open.
    return max(1, work - math.floor(work * round(left, 9)))


def threshold_quota(work: int, step: int, steps: int, sure: int) -> int:
    """All that are sure enough, and no fewer than the cosine asks: it must be done by step K."""
    return max(sure, cosine_quota(work, step, steps, sure))


RULES: Mapping[str, Callable[[int, int, int, int], int]] = {
    "cosine": cosine_quota,
    "threshold": threshold_quota,
    "quota": fixed_quota,
}
"""Rule → how many of `work` positions to settle at `step` of `steps`, where `sure` pass the
threshold."""
