"""Training of the finder's judge: which of a place's facts answers, or none.

Rule 1. What happens follows from the state on disk alone: judge, optimiser, dice and the packs to
        come are saved together.
Rule 2. A question is shown with the right facts and with those that look most like them.
Rule 3. A turn whose facts are silent has "none" as its right outcome, whatever fact its reply leans
        on ("I only know …"), and so has a turn whose right facts are withheld; small talk is not
        shown.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from atonce.llm.corpus import Example, Pack, Scene, draw_scene
from atonce.llm.evaluation import mean
from atonce.llm.finder import TOGETHER, Asked, Finder, Judge, Read
from atonce.llm.lessons import lessons
from atonce.llm.weights import write_whole

RATE = 1.5e-4
WARM_UP = 20  # steps
NEW_FASTER, SCALARS_FASTER = 10.0, 50.0  # than the layers: what begins at zero, and single numbers
SHOWN = 3  # facts a question is shown with: a quarter less work than at run time
LOOKED_AT = 5  # of the best facts, from which wrong ones are taken
SHUFFLED = 0.3  # share of questions whose wrong facts are not the very best ones
WITHHELD = 0.2  # share of questions that are shown without the facts that answer
# Withholding makes "none" twice as frequent as in a talk: the log odds by which it is made rarer
# again when a judge is written out.
NONE_TOO_OFTEN = 1.0
AT_ONCE = 24  # questions a step


@dataclass(frozen=True, slots=True)
class Lesson:
    """The questions of one scene, read, and what is right."""

    asked: Asked
    """All questions and facts."""
    right: Tensor
    """(N, facts + 1): share of each fact in the right outcome; the last column is none."""


@dataclass(frozen=True, slots=True)
class FinderScores:
    """How often a finder is right; shares are 0 to 1."""

    first: float
    """Turns with one fact: it comes first."""
    all_in: tuple[float, float, float]
    """Turns with facts: all are among the first 1, 2, 3."""
    none: float
    """Unknown turns: none is the likeliest outcome."""
    refused: float
    """Turns with facts: none is the likeliest outcome."""
    loss: float
    """Nats a turn."""
    turns: int
    """Counted."""

    def __str__(self) -> str:
        ones = "/".join(f"{100 * share:.1f}" for share in self.all_in)
        return (
            f"first {100 * self.first:.1f} %, all in 1/2/3 {ones} %, none {100 * self.none:.1f} %, "
            f"refused {100 * self.refused:.1f} %, loss {self.loss:.3f}, {self.turns} turns"
        )


class FinderTrainer:
    """The state of one training run."""

    def __init__(self, finder: Finder, packs: Sequence[Pack], rate: float = RATE) -> None:
        self.finder, self.packs, self.rate = finder, packs, rate
        self.dice = random.Random(1)
        self.waiting: list[int] = []
        self.step = self.shown = 0
        judge = finder.judge
        single = [judge.signals, judge.none]
        new = [judge.parts, *judge.attention.parameters(), *judge.verdict.parameters()]
        self.weights = [*judge.layers.parameters(), *new, *single]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": list(judge.layers.parameters()), "scale": 1.0},
                {"params": new, "scale": NEW_FASTER},
                {"params": single, "scale": SCALARS_FASTER},
            ],
            lr=rate,
            weight_decay=0.01,
        )

    def learn(self, factor: float) -> float:
        """One scene, drawn and shown in several steps; the mean loss in nats."""
        if not self.waiting:
            self.waiting = list(range(len(self.packs)))
            self.dice.shuffle(self.waiting)

        scene = draw_scene(self.packs[self.waiting.pop()], self.dice)
        lesson = prepare(self.finder, list(lessons(scene, self.dice)))
        order = lesson.asked.questions.real.sum(1).argsort()  # alike in length, little padding
        parts = [order[start : start + AT_ONCE] for start in range(0, len(order), AT_ONCE)]
        return sum(self.show(lesson, part, factor) for part in parts) / max(1, len(parts))

    def show(self, lesson: Lesson, rows: Tensor, factor: float) -> float:
        """One step."""
        asked, right = choose(lesson.asked, rows), lesson.right[rows]
        facts, right = draw_facts(self.finder, asked, right, self.dice)
        logits = self.finder.judge(asked, facts)
        target = torch.cat([right.gather(1, facts), right[:, -1:]], 1)
        loss = -(target * logits.log_softmax(-1)).sum(-1).mean()
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.weights, 1.0)
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate * group["scale"] * factor * min(1.0, (self.step + 1) / WARM_UP)

        self.optimiser.step()
        self.step += 1
        self.shown += len(rows)
        return float(loss.detach())

    def save(self, path: Path) -> None:
        """All of the state, in one file that is whole or not there."""
        state = {
            "judge": self.finder.judge.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "dice": self.dice.getstate(),
            "waiting": self.waiting,
            "step": self.step,
            "shown": self.shown,
        }
        write_whole(path, lambda part: torch.save(state, part))

    def load(self, path: Path) -> None:
        """Go on from a saved state; packs that came since are shown in the next round."""
        state = torch.load(path, weights_only=True)
        self.finder.judge.load_state_dict(state["judge"])
        self.optimiser.load_state_dict(state["optimiser"])
        version, numbers, gauss = state["dice"]
        self.dice.setstate((version, tuple(numbers), gauss))
        self.waiting = [pack for pack in state["waiting"] if pack < len(self.packs)]
        self.step, self.shown = state["step"], state["shown"]


def fair(judge: Judge) -> Judge:
    """A copy that knows how often no fact answers in a talk, where nothing is withheld."""
    made = copy.deepcopy(judge)
    with torch.no_grad():
        made.none[0] -= NONE_TOO_OFTEN

    return made


def prepare(finder: Finder, examples: Sequence[Example]) -> Lesson:
    """Read the questions of one scene that have facts, or should have."""
    chosen = [one for one in examples if one.gold or one.is_unknown]
    facts = chosen[0].prompt.facts
    right = torch.zeros(len(chosen), len(facts) + 1)
    for row, example in zip(right, chosen, strict=True):
        answers = [] if example.is_unknown else list(example.gold)
        row[answers or [-1]] = 1 / max(1, len(answers))

    asked = finder.ask([(one.prompt.question, one.prompt.history) for one in chosen], facts)
    return Lesson(asked, right)


def choose(asked: Asked, rows: Tensor) -> Asked:
    """Only these questions, without padding that none of them needs."""
    read = asked.questions
    longest = int(read.real[rows].sum(1).max())
    questions = Read(
        read.middle[rows, :longest].clone(), read.vectors[rows], read.real[rows, :longest]
    )
    is_past = asked.is_past[rows, :longest]
    signals = asked.signals[rows].clone()
    facts = replace(asked.facts, middle=asked.facts.middle.clone())
    return Asked(questions, is_past, facts, signals)


def draw_facts(
    finder: Finder, asked: Asked, right: Tensor, dice: random.Random
) -> tuple[Tensor, Tensor]:
    """The right facts of every question, filled up with wrong ones that look right, (N, SHOWN).

    With it what is then right, (N, facts + 1): none, where the right facts are withheld.
    """
    with torch.no_grad():
        order = finder.judge.prior(asked.signals).argsort(-1, descending=True).tolist()

    chosen, right = [], right.clone()
    for row, ranked in enumerate(order):
        gold = [fact for fact, share in enumerate(right[row, :-1].tolist()) if share][:SHOWN]
        others = [fact for fact in ranked if fact not in gold]
        if gold and len(others) >= SHOWN and dice.random() < WITHHELD:
            gold, right[row], right[row, -1] = [], 0, 1

        near, far = others[:LOOKED_AT], others[LOOKED_AT:]
        if dice.random() < SHUFFLED:
            dice.shuffle(near)

        chosen.append([*gold, *near, *far][:SHOWN])

    return torch.tensor(chosen), right


def measure(finder: Finder, scenes: Sequence[tuple[Scene, Sequence[Example]]]) -> FinderScores:
    """Score a finder on scenes, each with its turns."""
    first, all_in, none, refused, losses = [], [], [], [], []
    for _, examples in scenes:
        lesson = prepare(finder, examples)
        with torch.inference_mode():
            facts = finder.judge.prior(lesson.asked.signals).topk(TOGETHER).indices
            logits = finder.judge(lesson.asked, facts)

        target = torch.cat([lesson.right.gather(1, facts), lesson.right[:, -1:]], 1)
        losses += (-(target * logits.log_softmax(-1)).sum(-1)).tolist()
        for row, shares, shown in zip(logits, lesson.right, facts, strict=True):
            is_none = int(row.argmax()) == TOGETHER
            gold = {fact for fact, share in enumerate(shares[:-1].tolist()) if share}
            if not gold:
                none.append(is_none)
                continue

            refused.append(is_none)
            ranked = shown[row[:-1].argsort(descending=True)].tolist()
            all_in.append([gold <= set(ranked[:count]) for count in (1, 2, 3)])
            if len(gold) == 1:
                first.append(ranked[0] in gold)

    one, two, three = (mean([row[i] for row in all_in]) for i in range(3))
    return FinderScores(
        mean(first), (one, two, three), mean(none), mean(refused),
        sum(losses) / max(1, len(losses)), len(losses),
    )  # fmt: skip
