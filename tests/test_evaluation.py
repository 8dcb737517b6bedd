"""Scoring a writer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from atonce.llm.clues import find_clues
from atonce.llm.corpus import load_packs
from atonce.llm.evaluation import (
    HEAD,
    best_fact,
    draw_heard,
    draw_turns,
    found_within,
    hits,
    honest,
    line,
    ranks_by_words,
    ranks_told,
    share,
    shares,
    sources,
    write_all,
)
from atonce.llm.fakes import FakeWriter
from atonce.llm.intervals import Bootstrap
from atonce.llm.protocols import Plan

DEV = load_packs(Path(__file__).parents[1] / "corpus" / "dev")


def test_the_same_turns_are_drawn_every_time_and_as_many_as_wanted() -> None:
    turns = draw_turns(DEV, 300)
    assert turns == draw_turns(DEV, 300)
    assert len(turns) == 300
    assert {turn.key.split("/")[0] for turn in turns} == {pack.name for pack in DEV}


def test_every_question_that_was_heard_is_asked_as_written_and_as_heard() -> None:
    pairs = draw_heard(DEV)
    assert pairs == draw_heard(DEV)
    assert len(pairs) == sum(len(pack.heard) for pack in DEV)
    for written, heard in pairs:
        assert replace(heard, prompt=written.prompt) == written
        assert heard.prompt.facts == written.prompt.facts
        assert "{" not in heard.prompt.question

    assert sum(a.prompt.question != b.prompt.question for a, b in pairs) > len(pairs) / 2


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


def test_the_honest_sentence_answers_unknown_turns_alone() -> None:
    row = shares([honest(turn) for turn in draw_turns(DEV, 234)])
    assert (row.grounded, row.unknown, row.refused, row.invented) == (0, 1, 1, 0)


def test_what_a_fallback_said_counts_for_the_agent_and_against_the_writer() -> None:
    turn = next(turn for turn in draw_turns(DEV, 40) if best_fact(turn).verdict.is_right)
    own = best_fact(turn)
    saved = replace(own, source="fact", is_own=False)
    row = shares([own, saved])
    assert (row.grounded, row.agent_grounded, row.own) == (0.5, 1, 0.5)
    assert sources([own, saved, replace(own, source="twin")]) == {
        "fact": pytest.approx(2 / 3),
        "twin": pytest.approx(1 / 3),
    }


def test_a_share_leaves_out_the_turns_that_it_is_not_about() -> None:
    written = [honest(turn) for turn in draw_turns(DEV, 60)]
    unknown = hits(written, "unknown")
    assert None in unknown
    assert True in unknown
    assert False not in unknown
    assert share(unknown) == 1
    assert share([None]) == 0


def test_a_row_has_a_value_under_every_head() -> None:
    row = shares([best_fact(turn) for turn in draw_turns(DEV, 5)])
    assert len(line("best fact", row)) == len(HEAD)


def test_without_replies_the_shares_are_zero() -> None:
    row = shares([])
    assert row.grounded == row.ms == pytest.approx(0)


def test_replies_that_were_not_timed_do_not_move_the_time() -> None:
    turns = draw_turns(DEV, 3)
    times = [10.0, None, 30.0]
    written = [replace(honest(turn), ms=ms) for turn, ms in zip(turns, times, strict=True)]
    assert shares(written).ms == 30


def test_the_ranks_that_a_writer_was_told_are_read_back() -> None:
    ids = [1, 2, 10, 11, 3, 20, 21, 22, 3, 30, 3, 40, 4, 50, 51, 5]
    spans = [(2, 4), (5, 8), (9, 10), (11, 12)]
    clues = find_clues(ids, spans, 13, [0.1, 3.0, -2.0, 1.0], 0)
    assert ranks_told(clues, 4) == [2, 0, 3, 1]


def test_ranks_by_words_put_the_best_fact_first() -> None:
    turn = draw_turns(DEV, 5)[2]
    place = turn.prompt.facts.index(best_fact(turn).reply)
    assert ranks_by_words(turn)[place] == 0


def test_the_fact_that_a_writer_was_told_first_can_be_read_out() -> None:
    turn = draw_turns(DEV, 5)[2]
    ranks = [3, 3, 0, *[3] * len(turn.prompt.facts)]
    assert best_fact(turn, ranks).reply == turn.prompt.facts[2]


def test_a_turn_is_found_when_all_its_facts_are() -> None:
    turn = draw_turns(DEV, 5)[2]
    turns = [replace(turn, gold=gold) for gold in ((2,), (1, 2), (0,), ())]
    ranks = [[3, 1, 0, 2]] * 4
    assert found_within(turns, ranks, 1) == pytest.approx(1 / 3)
    assert found_within(turns, ranks, 2) == pytest.approx(2 / 3)


def test_intervals_hold_the_share_and_shrink_with_more_questions() -> None:
    few = Bootstrap([f"q{i}" for i in range(20)])
    many = Bootstrap([f"q{i}" for i in range(500)])
    low, high = few.interval([i % 4 > 0 for i in range(20)])
    lower, higher = many.interval([i % 4 > 0 for i in range(500)])
    assert low < lower < 0.75 < higher < high


def test_a_question_that_was_drawn_again_is_no_further_observation() -> None:
    once = Bootstrap([f"q{i}" for i in range(20)])
    again = Bootstrap([f"q{i % 20}" for i in range(200)])
    assert once.interval([i % 4 > 0 for i in range(20)]) == pytest.approx(
        again.interval([i % 20 % 4 > 0 for i in range(200)])
    )


def test_a_paired_difference_is_surer_than_either_share() -> None:
    boot = Bootstrap([f"q{i}" for i in range(100)])
    mine = [i % 2 == 0 for i in range(100)]
    theirs = [hit and i != 4 for i, hit in enumerate(mine)]
    low, high = boot.difference(mine, theirs)
    assert 0 <= low < 0.01 < high < 0.05
    assert boot.interval([None] * 100) == (0, 0)
