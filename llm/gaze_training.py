"""Fitting of the gaze: how much each of the reader's looks is worth.

Rule 1. What is fitted follows from what was seen alone: no dice, no order.
Rule 2. Three fits: which fact answers (listwise logistic regression over a place's facts), whether
        any does, and whether anything is asked at all (logistic regressions).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from atonce.llm.corpus import Example
from atonce.llm.encoder import pad
from atonce.llm.evaluation import mean
from atonce.llm.finder import Find
from atonce.llm.gaze import SUMMARY, Gaze, Watch, summary, together
from atonce.llm.leaning import needed
from atonce.llm.model import Cache, Reader
from atonce.llm.protocols import Found
from atonce.llm.reading import fact_spans, tokens_that_fit
from atonce.llm.tokenizer import Tokenizer

# How much weights are drawn to zero, chosen by packs held out in turn (docs/training-log.md).
SHRINK_LOOKS, SHRINK_NONE, SHRINK_TALK = 0.05, 0.05, 0.01
TOGETHER = 8  # questions that are read side by side
ROUNDS = 150  # of the optimiser; both fits are convex and have settled by then


@dataclass(frozen=True, slots=True)
class Seen:
    """One question, looked at."""

    found: Found
    """What the finder found."""
    logs: Tensor
    """(H, F): see Watch; in half precision."""
    state: Tensor
    """(W): see Watch; in half precision."""
    gold: tuple[int, ...]
    """The facts that answer; none: the facts are silent, or it is small talk."""
    is_talk: bool
    """It is small talk."""
    pack: str
    """Where it comes from."""

    @property
    def is_silent(self) -> bool:
        """The facts do not say."""
        return not self.gold and not self.is_talk


@dataclass(frozen=True, slots=True)
class Watches:
    """Readings side by side, each filled up behind its end, and who looks on at each."""

    watches: Sequence[Watch]
    """One for each."""
    lengths: Sequence[int]
    """Tokens of each."""
    before: int
    """Tokens that were read before, the same for all."""

    def enter(self, x: Tensor) -> None:
        """x (B, T, W): what goes into the next layer."""
        for row, (watch, length) in enumerate(zip(self.watches, self.lengths, strict=True)):
            watch.enter(x[row : row + 1, :length])

    def see(self, queries: Tensor, keys: Tensor) -> None:
        """queries (B, heads, T, head) and keys (B, kv_heads, S, head) of that layer."""
        for row, (watch, length) in enumerate(zip(self.watches, self.lengths, strict=True)):
            asked = queries[row : row + 1, :, :length]
            watch.see(asked, keys[row : row + 1, :, : self.before + length])


@torch.inference_mode()
def look(
    examples: Sequence[Example], reader: Reader, tokenizer: Tokenizer, find: Find
) -> list[Seen]:
    """Read the questions of one scene, and look on; those that stand alone side by side."""
    past: Cache | None = None
    looks: list[tuple[Example, Found, Watch]] = []
    alone: list[tuple[list[int], Watch]] = []
    for example in examples:
        prompt = example.prompt
        found = find(prompt.question, prompt.facts, prompt.history)
        told = needed(prompt, found)  # as the writer reads it in a talk
        prefix, turns, turn = tokens_that_fit(tokenizer, told, reader.sizes.context, "reader")
        watch = Watch(fact_spans(tokenizer, prompt))
        looks.append((example, found, watch))
        if past is None:
            _, past = reader(torch.tensor([prefix]))

        if turns:
            talk = [token for one in turns for token in one]
            _, before = reader(torch.tensor([talk]), past)
            reader(torch.tensor([turn[:-1]]), before, watch)
        else:
            alone.append((turn[:-1], watch))

    alone.sort(key=lambda one: len(one[0]))
    for first in range(0, len(alone), TOGETHER):
        assert past is not None  # some example was read
        texts, watches = zip(*alone[first : first + TOGETHER], strict=True)
        lengths = [len(text) for text in texts]
        ids, _ = pad(texts)
        reader(ids, past, Watches(watches, lengths, past.tokens))

    return [noted(*one) for one in looks]


def noted(example: Example, found: Found, watch: Watch) -> Seen:
    """What is fitted on."""
    gold = () if example.is_unknown else example.gold
    is_talk = not example.gold and not example.is_unknown
    name = example.key.split("/")[0]
    return Seen(found, watch.logs.half(), watch.state.half(), gold, is_talk, name)


def fit(
    seen: Sequence[Seen],
    *,
    too_few: float = 1.0,
    shrink_looks: float = SHRINK_LOOKS,
    shrink_none: float = SHRINK_NONE,
) -> Gaze:
    """The weights of these questions; too_few: in a talk, so many times as many have an answer."""
    found, looks = fit_looks([one for one in seen if one.gold], shrink_looks)
    nothing = torch.zeros(len(looks))
    states = torch.stack([one.state.float() for one in seen])
    base, talk = logistic(states, [one.is_talk for one in seen], SHRINK_TALK)
    gaze = Gaze(
        found, looks, torch.zeros(1 + SUMMARY), nothing, nothing, nothing[:0],
        torch.cat([base, talk]),
    )  # fmt: skip
    gaze = fit_none([one for one in seen if not one.is_talk], gaze, shrink_none)
    gaze.none[0] -= math.log(too_few)
    return gaze


def fit_looks(seen: Sequence[Seen], shrink: float) -> tuple[Tensor, Tensor]:
    """Worth of the finder's logit and of each look, for which fact answers."""
    most = max(len(one.found.scores) for one in seen)
    table = torch.zeros(len(seen), most, 1 + len(seen[0].logs))
    right, real = torch.zeros(len(seen), most), torch.zeros(len(seen), most, dtype=torch.bool)
    for row, share, is_fact, one in zip(table, right, real, seen, strict=True):
        facts = len(one.found.scores)
        row[:facts, 0], row[:facts, 1:] = torch.tensor(one.found.scores), one.logs.float().T
        share[list(one.gold)] = 1 / len(one.gold)
        is_fact[:facts] = True

    scale = table[real].std(0).clamp(min=1e-6)
    table = table / scale

    def cost(weights: Tensor) -> Tensor:
        odds = (table @ weights).masked_fill(~real, -1e9).log_softmax(-1).clamp(min=-50)
        return -(right * odds).sum(-1).mean() + shrink * weights[1:].square().sum()

    weights = settled(cost, table.shape[-1]) / scale
    return weights[:1], weights[1:]


def fit_none(seen: Sequence[Seen], gaze: Gaze, shrink: float) -> Gaze:
    """The same gaze, with what tells that no fact answers."""
    heads = len(gaze.looks)
    rows = []
    for one in seen:
        logs = one.logs.float()
        scores = gaze.found * torch.tensor(one.found.scores) + gaze.looks @ logs
        best = logs[:, int(scores.argmax())]
        parts = [summary(one.found, scores), best, together(logs), one.state.float()]
        rows.append(torch.cat(parts))

    base, worth = logistic(torch.stack(rows), [one.is_silent for one in seen], shrink)
    sizes = [SUMMARY, heads, heads, len(seen[0].state)]
    none, best, every, state = torch.split(worth, sizes)
    return replace(
        gaze,
        none=torch.cat([base, none]),
        best=best.clone(),
        all=every.clone(),
        state=state.clone(),
    )


def logistic(table: Tensor, right: Sequence[bool], shrink: float) -> tuple[Tensor, Tensor]:
    """A base and the worth of each column, as log-odds; table (N, columns)."""
    middle, scale = table.mean(0), table.std(0).clamp(min=1e-6)
    table = torch.cat([torch.ones(len(table), 1), (table - middle) / scale], 1)
    target = torch.tensor([float(one) for one in right])

    def cost(weights: Tensor) -> Tensor:
        odds = F.binary_cross_entropy_with_logits(table @ weights, target)
        return odds + shrink * weights[1:].square().sum()

    weights = settled(cost, table.shape[1])
    worth = weights[1:] / scale
    return weights[:1] - (worth @ middle)[None], worth


def settled(cost: Callable[[Tensor], Tensor], count: int) -> Tensor:
    """The weights at which a convex cost is least."""
    weights = torch.zeros(count, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=ROUNDS, line_search_fn="strong_wolfe")

    def evaluate() -> float:
        optimiser.zero_grad()
        value = cost(weights)
        value.backward()  # type: ignore[no-untyped-call]
        return float(value.detach())

    optimiser.step(evaluate)  # type: ignore[no-untyped-call]
    return weights.detach()


# ---- how good it is ----


@dataclass(frozen=True, slots=True)
class GazeScores:
    """How often it is right; shares are 0 to 1."""

    first: float
    """Questions with one fact: it comes first."""
    first_before: float
    """The same by the finder alone."""
    none: tuple[float, ...]
    """Unknown questions that are told where REFUSED of the others are refused."""
    none_before: tuple[float, ...]
    """The same by the finder alone."""
    talk: tuple[float, float]
    """Small talk that is taken for it, and other turns that are."""

    def __str__(self) -> str:
        def told(shares: Sequence[float]) -> str:
            return " / ".join(f"{100 * share:.0f}" for share in shares)

        refused = " / ".join(f"{100 * share:.0f}" for share in REFUSED)
        return (
            f"first {100 * self.first:.1f} % (finder alone {100 * self.first_before:.1f}); "
            f"none told at {refused} % refused: {told(self.none)} % (finder alone "
            f"{told(self.none_before)}); taken for small talk: {100 * self.talk[0]:.0f} % of it, "
            f"{100 * self.talk[1]:.1f} % of the rest"
        )


REFUSED = (0.03, 0.05, 0.07, 0.1)


def measure(seen: Sequence[Seen], weighed: Sequence[Found]) -> GazeScores:
    """Score what was weighed, each beside what was seen."""
    before = [one.found for one in seen]
    taken = [
        mean([of.talk > 0 for one, of in zip(seen, weighed, strict=True) if one.is_talk is is_talk])
        for is_talk in (True, False)
    ]
    return GazeScores(
        first(seen, weighed),
        first(seen, before),
        told(seen, weighed),
        told(seen, before),
        (taken[0], taken[1]),
    )


def first(seen: Sequence[Seen], found: Sequence[Found]) -> float:
    """Share of the questions with one fact on which it comes first."""
    return mean(
        [
            of.scores.index(max(of.scores)) == one.gold[0]
            for one, of in zip(seen, found, strict=True)
            if len(one.gold) == 1
        ]
    )


def told(seen: Sequence[Seen], found: Sequence[Found]) -> tuple[float, ...]:
    """Share of unknown questions above the odds that so many others reach."""
    odds = [of.none - float(torch.tensor(of.scores).logsumexp(0)) for of in found]
    known = sorted((o for one, o in zip(seen, odds, strict=True) if one.gold), reverse=True)
    silent = [o for one, o in zip(seen, odds, strict=True) if one.is_silent]
    if not known:
        return (math.nan,) * len(REFUSED)

    return tuple(mean([o > known[int(share * len(known))] for o in silent]) for share in REFUSED)


def held_out(seen: Sequence[Seen], folds: int, shrink: tuple[float, float]) -> list[Found]:
    """What every question is weighed to by weights that were fitted without its pack."""
    packs = sorted({one.pack for one in seen})
    weighed: dict[int, Found] = {}
    for fold in range(folds):
        out = set(packs[fold::folds])
        gaze = fit(
            [one for one in seen if one.pack not in out],
            shrink_looks=shrink[0],
            shrink_none=shrink[1],
        )
        weighed |= {
            place: gaze.weigh(one.found, one.logs.float(), one.state.float())
            for place, one in enumerate(seen)
            if one.pack in out
        }

    return [weighed[place] for place in range(len(seen))]
