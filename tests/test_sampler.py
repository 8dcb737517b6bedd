"""One reply goes through its denoising steps: invariants over any model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atonce.config.errors import EngineError
from atonce.llm.commit import RULES
from atonce.llm.fakes import END, MASK, Guesser, Seed, VirtualClock
from atonce.llm.pace import Cost, Meter
from atonce.llm.protocols import Draft, Plan
from atonce.llm.rows import Rows
from atonce.llm.sampler import denoise

plans = st.builds(
    Plan,
    steps=st.integers(1, 12),
    canvas=st.integers(1, 24),
    rule=st.sampled_from(RULES),
    threshold=st.floats(0, 1),
    seed=st.integers(0, 3),
)


@st.composite
def pins(draw: st.DrawFn, canvas: int) -> list[int | None]:
    """Words pinned anywhere, and perhaps end marks behind them."""
    given_ = draw(st.lists(st.none() | st.integers(2, 8), min_size=canvas, max_size=canvas))
    stop = draw(st.integers(1, canvas))
    is_ended = all(token is None for token in given_[stop:]) and draw(st.booleans())
    return given_[:stop] + [END] * (canvas - stop) if is_ended else given_


def rows() -> tuple[Rows, Guesser]:
    """Rows of a model that guesses at random."""
    clock, cost = VirtualClock(), Cost(0.01, 0.001)
    model = Guesser(clock, cost)
    return Rows(model, Meter(cost), clock=clock), model


def write(plan: Plan, seed: int = 0, given_: Sequence[int | None] | None = None) -> list[Draft]:
    """All drafts of a reply by a random model."""
    return list(denoise(rows()[0], Seed(seed), plan, given_))


@given(plan=plans, seed=st.integers(0, 5))
def test_a_reply_is_finished_by_step_k_and_every_step_settles_something(
    plan: Plan, seed: int
) -> None:
    drafts = write(plan, seed)
    assert 1 <= len(drafts) <= plan.steps
    assert [draft.step for draft in drafts] == list(range(1, len(drafts) + 1))
    assert [draft.is_finished for draft in drafts] == [False] * (len(drafts) - 1) + [True]
    counts = [sum(cell.is_open for cell in draft.cells) for draft in drafts]
    assert counts == sorted(set(counts), reverse=True)


@given(plan=plans, seed=st.integers(0, 5))
def test_what_is_settled_never_changes(plan: Plan, seed: int) -> None:
    drafts = write(plan, seed)
    for before, after in pairwise(drafts):
        for old, new in zip(before.cells, after.cells, strict=True):
            assert old.is_open or old == new


@given(plan=plans, seed=st.integers(0, 5))
def test_an_end_mark_has_nothing_open_before_it_and_only_end_marks_behind_it(
    plan: Plan, seed: int
) -> None:
    for draft in write(plan, seed):
        tokens = [cell.token for cell in draft.cells]
        if END in tokens:
            stop = tokens.index(END)
            assert stop > 0
            assert MASK not in tokens[:stop]
            assert set(tokens[stop:]) == {END}
            assert all(cell.text == "" for cell in draft.cells[stop:])


@given(plan=plans, seed=st.integers(0, 5), data=st.data())
def test_pinned_positions_never_change(plan: Plan, seed: int, data: st.DataObject) -> None:
    given_ = data.draw(pins(plan.canvas))
    for draft in write(plan, seed, given_):
        for pin, cell in zip(given_, draft.cells, strict=True):
            assert pin is None or (cell.token == pin and cell.confidence == 1)

    assert draft.is_finished


@given(plan=plans, seed=st.integers(0, 5))
def test_the_same_plan_gives_the_same_drafts(plan: Plan, seed: int) -> None:
    assert write(plan, seed) == write(plan, seed)


def test_another_seed_gives_another_reply() -> None:
    plan = Plan(steps=4, canvas=16)
    texts = {write(replace(plan, seed=seed))[-1].text for seed in range(6)}
    assert len(texts) > 1


def test_all_pinned_is_one_draft_without_asking_the_model() -> None:
    unasked, model = rows()
    drafts = list(denoise(unasked, Seed(0), Plan(steps=8, canvas=3), [5, 6, END]))
    assert [draft.text for draft in drafts] == ["5 6"]
    assert drafts[0].step == 1
    assert not model.passes


def test_a_reply_that_is_stopped_between_two_steps_is_dropped() -> None:
    stopped, _ = rows()
    writing = denoise(stopped, Seed(0), Plan(steps=4, canvas=12))
    next(writing)
    assert len(stopped) == 1
    del writing
    assert len(stopped) == 0


def test_one_step_writes_the_whole_reply() -> None:
    drafts = write(Plan(steps=1, canvas=12))
    assert len(drafts) == 1
    assert drafts[0].is_finished


def test_more_steps_than_positions_end_early() -> None:
    assert len(write(Plan(steps=64, canvas=5))) <= 5


def test_what_stands_right_of_a_pinned_end_is_filled() -> None:
    drafts = write(Plan(steps=2, canvas=4), 0, [None, 5, END, None])
    assert [cell.token for cell in drafts[-1].cells][1:] == [5, END, END]


@pytest.mark.parametrize(
    ("plan", "given_", "words"),
    [
        (Plan(steps=0, canvas=4), None, "at least 1 step"),
        (Plan(steps=1, canvas=0), None, "at least 1 step"),
        (Plan(steps=1, canvas=4, rule="magic"), None, "unknown commit rule 'magic'"),
        (Plan(steps=1, canvas=4), [None], "1 positions are given for a canvas of 4"),
        (Plan(steps=1, canvas=2), [None, MASK], "the mask cannot be pinned"),
        (Plan(steps=1, canvas=3), [5, END, 6], "pinned behind the end mark"),
    ],
)
def test_what_cannot_be_written_is_refused(
    plan: Plan, given_: list[int | None] | None, words: str
) -> None:
    with pytest.raises(EngineError, match=words):
        write(plan, 0, given_)
