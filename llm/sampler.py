"""One reply being written: a row goes through K denoising steps, and every step gives a draft.

Rule 1. What is settled or pinned never changes.
Rule 2. A row ends after step K at the latest, and as soon as nothing is open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from atonce.config.errors import EngineError
from atonce.llm.commit import RULES, Guess, Marks, settle
from atonce.llm.protocols import Cell, Draft, Plan

Look = Callable[[Sequence[int]], Sequence[Guess]]
"""The model: a canvas in, a guess for every open position out, from left to right."""

Spell = Callable[[Sequence[int | None]], Sequence[str]]
"""What each token adds to the text; None, an open position, adds nothing."""


class Row:
    """The state of one reply: its canvas, and how sure each position was when it was settled."""

    def __init__(self, plan: Plan, marks: Marks, given: Sequence[int | None] | None = None) -> None:
        check_plan(plan)
        pins = check_pins([None] * plan.canvas if given is None else given, plan, marks)
        self.plan, self.marks, self.step = plan, marks, 0
        self.canvas = [marks.mask if token is None else token for token in pins]
        self.confidences = [0.0 if token is None else 1.0 for token in pins]

    @property
    def is_finished(self) -> bool:
        """Nothing is open."""
        return self.marks.mask not in self.canvas

    def advance(self, guesses: Sequence[Guess]) -> None:
        """Settle some of the open positions by what the model guesses."""
        self.step += 1
        choices = settle(self.canvas, guesses, plan=self.plan, step=self.step, marks=self.marks)
        for choice in choices:
            self.canvas[choice.position] = choice.token
            self.confidences[choice.position] = choice.confidence

    def draft(self, spell: Spell) -> Draft:
        """The canvas as it stands."""
        mask, end = self.marks.mask, self.marks.end
        texts = spell([None if token == mask else token for token in self.canvas])
        stop = self.canvas.index(end) if end in self.canvas else len(self.canvas)
        cells = tuple(
            Cell(token, text if i < stop else "", token == mask, confidence)
            for i, (token, text, confidence) in enumerate(
                zip(self.canvas, texts, self.confidences, strict=True)
            )
        )
        return Draft(max(1, self.step), self.plan.steps, cells)


def denoise(
    look: Look,
    plan: Plan,
    marks: Marks,
    spell: Spell,
    given: Sequence[int | None] | None = None,
) -> Iterator[Draft]:
    """Write one reply; a draft after every step. Where all is pinned, that one draft."""
    row = Row(plan, marks, given)
    if row.is_finished:
        yield row.draft(spell)

    while not row.is_finished:
        row.advance(look(row.canvas))
        yield row.draft(spell)


def check_plan(plan: Plan) -> None:
    """Refuse a plan that no reply can be written by."""
    if plan.rule not in RULES:
        raise EngineError(f"unknown commit rule {plan.rule!r}; there are {', '.join(RULES)}.")

    if plan.steps < 1 or plan.canvas < 1:
        raise EngineError(
            f"a reply takes at least 1 step and 1 position; the plan has {plan.steps} steps and "
            f"a canvas of {plan.canvas}."
        )


def check_pins(given: Sequence[int | None], plan: Plan, marks: Marks) -> list[int | None]:
    """The pinned tokens; what stands right of a pinned end mark is filled with end marks."""
    if len(given) != plan.canvas:
        raise EngineError(f"{len(given)} positions are given for a canvas of {plan.canvas}.")

    if marks.mask in given:
        raise EngineError("the mask cannot be pinned; give None for a position to be written.")

    pins = list(given)
    if marks.end not in pins:
        return pins

    stop = pins.index(marks.end)
    if any(token not in (None, marks.end) for token in pins[stop:]):
        raise EngineError("a word is pinned behind the end mark; pin nothing there.")

    return pins[:stop] + [marks.end] * (len(pins) - stop)
