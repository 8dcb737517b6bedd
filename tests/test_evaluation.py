"""Scoring a writer."""

from __future__ import annotations

from pathlib import Path

import pytest

from atonce.llm.corpus import load_packs
from atonce.llm.evaluation import HEAD, best_fact, draw_turns, line, shares, write_all
from atonce.llm.fakes import FakeWriter
from atonce.llm.protocols import Plan

DEV = load_packs(Path(__file__).parents[1] / "corpus" / "dev")


def test_the_same_turns_are_drawn_every_time_and_as_many_as_wanted() -> None:
    turns = draw_turns(DEV, 300)
    assert turns == draw_turns(DEV, 300)
    assert len(turns) == 300
    assert {turn.key.split("/")[0] for turn in turns} == {pack.name for pack in DEV}


def test_a_writer_that_knows_is_right_and_one_that_refuses_is_not() -> None:
    turns = draw_turns(DEV, 40)
    plans = [Plan(2, 64), Plan(8, 64)]
    answers = {turn.prompt: turn.replies[0] for turn in turns}
    knowing = FakeWriter(lambda prompt: answers[prompt])
    written = list(write_all(knowing, turns, plans))
    assert len(written) == 80
    right = shares([one for _, one in written])
    assert right.grounded > 0.95
    assert right.unknown > 0.8
    assert (right.refused, right.wrong_value) == (0, 0)

    refusing = FakeWriter(lambda _: "I'm sorry, I don't know.")
    row = shares([one for _, one in write_all(refusing, turns, plans[:1])])
    assert (row.grounded, row.unknown, row.refused) == (0, 1, 1)


def test_the_best_fact_answers_most_turns_but_no_unknown_one() -> None:
    row = shares([best_fact(turn) for turn in draw_turns(DEV, 234)])
    assert 0.7 < row.grounded < 0.85
    assert (row.unknown, row.invented, row.steps) == (0, 0, 0)


def test_a_row_has_a_value_under_every_head() -> None:
    row = shares([best_fact(turn) for turn in draw_turns(DEV, 5)])
    assert len(line("best fact", row)) == len(HEAD)


def test_without_replies_the_shares_are_zero() -> None:
    row = shares([])
    assert row.grounded == row.ms == pytest.approx(0)
