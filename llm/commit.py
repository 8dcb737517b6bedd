"""Commit rules: which open positions are settled in a denoising step, and with which token. Pure.

Rule 1. Whatever is chosen, nothing is open after step K; every step settles at least one position.
Rule 2. The mask is never committed.
Rule 3. The end mark is committed only when nothing before it is open, and then fills what
        follows; never before a word that stands already, and never as the whole reply.
Rule 4. Of two neighbours only one is settled in a step, unless both are confident: they were
        guessed without knowing of each other. The quota wins; the last step takes what is left.
Rule 5. A token does not stand twice in a row, unless it is a digit or very confident.
Rule 6. The same guesses and the same seed give the same choices, whatever other rows there are.
"""

from __future__ import annotations

import heapq
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
# Mean entropy in nats below which a draft that two steps agree on is not asked about again.
CALM = 0.05


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
    entropy: float = 0.0
    """Of all that might stand here, nats; only the entropy rule and the early exit look at it."""


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
    canvas: Sequence[int],
    guesses: Sequence[Guess],
    *,
    plan: Plan,
    step: int,
    steps: int,
    marks: Marks,
) -> list[Choice]:
    """The choices of one step, from 1 to `steps`, which is K as planned now.

    guesses: one for every open position, from left to right.
    """
    end = reply_end(canvas, guesses, marks)
    waiting = {g.position: draw(g, plan.seed, step) for g in guesses if g.position < end}
    quota = how_many(list(waiting.values()), plan, step, steps)
    choices = choose(canvas, waiting, quota, plan, marks)
    if len(choices) == len(waiting):
        choices += (Choice(g.position, marks.end, g.end) for g in guesses if g.position >= end)

    return choices


def reply_end(board: Sequence[int], guesses: Sequence[Guess], marks: Marks) -> int:
    """Where the reply most likely ends: the position of its end mark, or the canvas's length.

    Of all ends behind the last settled word, the one under which the guesses "not yet ended" before
    it and "ended" from it on are together most likely. An end mark that stands was pinned: there
    the reply ends, and so its length is what was asked for.
    """
    if marks.end in board:
        return board.index(marks.end)

    words = [i for i, token in enumerate(board) if token not in (marks.mask, marks.end)]
    first = max(words, default=0) + 1
    behind = [guess for guess in guesses if guess.position >= first]
    if not behind:
        return len(board)

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
    return Guess(guess.position, tokens, confidences, guess.end, guess.entropy)


def choose(
    canvas: Sequence[int], waiting: Mapping[int, Guess], quota: int, plan: Plan, marks: Marks
) -> list[Choice]:
    """The surest positions that do not crowd each other; where those are too few, the surest."""
    board, left, taken = list(canvas), dict(waiting), dict[int, Choice]()
    first = min(left, default=0)

    def weigh(guess: Guess) -> tuple[float, Choice]:
        choice = best_token(board, guess, marks)
        doubt = guess.entropy if plan.rule == "entropy" else 1 - choice.confidence
        return doubt + plan.left_bias * (choice.position - first), choice

    for is_spread in (True, False):
        best = {position: weigh(guess) for position, guess in left.items()}
        queue = sorted((doubt, position) for position, (doubt, _) in best.items())
        while queue and len(taken) < quota:
            doubt, position = heapq.heappop(queue)  # a sorted list is a heap
            if position not in best or doubt != best[position][0]:
                continue  # it was weighed anew since

            choice = best[position][1]
            if is_spread and crowds(choice, taken):
                continue

            taken[position], board[position] = choice, choice.token
            del left[position], best[position]
            for beside in (position - 1, position + 1):  # what they would repeat has changed
                if beside in best:
                    best[beside] = weigh(left[beside])
                    heapq.heappush(queue, (best[beside][0], beside))

    return list(taken.values())


def best_token(board: Sequence[int], guess: Guess, marks: Marks) -> Choice:
    """The likeliest token that does not repeat a neighbour (rule 5); if all do, the likeliest."""
    i = guess.position
    neighbours = {board[j] for j in (i - 1, i + 1) if 0 <= j < len(board)} - marks.repeatable
    for token, confidence in zip(guess.tokens, guess.confidences, strict=True):
        if token not in neighbours or confidence >= VERY_CONFIDENT:
            return Choice(i, token, confidence)

    return Choice(i, guess.tokens[0], guess.confidences[0])


def crowds(choice: Choice, taken: Mapping[int, Choice]) -> bool:
    """Whether it stands beside a choice of the same step without both being confident (rule 4)."""
    return any(
        min(choice.confidence, taken[beside].confidence) < CONFIDENT
        for beside in (choice.position - 1, choice.position + 1)
        if beside in taken
    )


# ---- the early exit ----


def outlook(canvas: Sequence[int], guesses: Sequence[Guess], marks: Marks) -> tuple[int, ...]:
    """The canvas as it would stand if everything were settled now."""
    end = reply_end(canvas, guesses, marks)
    board = list(canvas)
    for guess in guesses:
        board[guess.position] = guess.tokens[0] if guess.position < end else marks.end

    return tuple(board)


def is_calm(guesses: Sequence[Guess]) -> bool:
    """Whether the model has so little doubt that another look would hardly change its mind."""
    return sum(guess.entropy for guess in guesses) <= CALM * len(guesses)


# ---- how many are settled in a step ----


def how_many(waiting: Sequence[Guess], plan: Plan, step: int, steps: int) -> int:
    """As the plan's rule says, and no fewer than the cosine asks: it must be done by step K."""
    if plan.rule in QUOTAS:
        return QUOTAS[plan.rule](len(waiting), step, steps)

    return max(SURE[plan.rule](waiting, plan), cosine_quota(len(waiting), step, steps))


def fixed_quota(work: int, step: int, steps: int) -> int:
    """The same number in every step; the first take what does not divide."""
    return math.ceil(work / (steps - step + 1))


def cosine_quota(work: int, step: int, steps: int) -> int:
    """Few at first, when little is known, many at last: the share left open falls as a cosine.

    After step j of K the share cos(pi/2 * j/K) is open. Reckoned from what is open now, so that it
    also fits when the reply's length or the time left is seen anew.
    """
    left = math.cos(math.pi / 2 * step / steps) / math.cos(math.pi / 2 * (step - 1) / steps)
    # At the last step the cosine is not quite 0; rounding keeps that from leaving one open.
    return max(1, work - math.floor(work * round(left, 9)))


def doubling_quota(work: int, step: int, steps: int) -> int:
    """1, 2, 4, 8 ...: done after log2 of the length. Where K is smaller, more in proportion."""
    return min(work, max(1 << (step - 1), math.ceil(work / ((1 << (steps - step + 1)) - 1))))


def sure_by_threshold(waiting: Sequence[Guess], plan: Plan) -> int:
    """All whose confidence reaches the threshold."""
    return sum(guess.confidences[0] >= plan.threshold for guess in waiting)


def sure_by_factor(waiting: Sequence[Guess], plan: Plan) -> int:
    """The most, n, of the surest of which even the last has (n + 1)(1 - confidence) <= factor.

    The more are settled together, the surer each must be, or what they say together is no longer
    what the model thinks likely.
    """
    ranked = sorted((guess.confidences[0] for guess in waiting), reverse=True)
    fits = [n for n, sure in enumerate(ranked, 1) if (n + 1) * (1 - sure) <= plan.factor]
    return max(fits, default=0)


def sure_by_entropy(waiting: Sequence[Guess], plan: Plan) -> int:
    """The most of the surest whose entropies, without the largest, add up to no more than a bound.

    That sum bounds how far guessing them apart can be from guessing them together.
    """
    count, total = 0, 0.0
    for entropy in sorted(guess.entropy for guess in waiting):
        if total > plan.entropy_bound:
            break

        count += 1
        total += entropy

    return count


QUOTAS: Mapping[str, Callable[[int, int, int], int]] = {
    "quota": fixed_quota,
    "cosine": cosine_quota,
    "doubling": doubling_quota,
}
"""Rules that plan a number: how many of `work` open positions to settle at `step` of `steps`."""

SURE: Mapping[str, Callable[[Sequence[Guess], Plan], int]] = {
    "threshold": sure_by_threshold,
    "factor": sure_by_factor,
    "entropy": sure_by_entropy,
}
"""Rules that look at the guesses: how many of those that wait are sure enough."""

RULES = (*QUOTAS, *SURE)
"""All names."""
