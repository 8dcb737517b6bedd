"""Whom a reply follows."""

from __future__ import annotations

import math

from atonce.llm.leading import LEAD, is_silent, led_by, none_odds, takes_two, told
from atonce.llm.protocols import Found

SURE = Found((4.0, 1.0, 0.0), none=-2.0, talk=-6.0)
NEAR = Found((4.0, 3.6, 0.0), none=-2.0, talk=-6.0)


def test_the_first_fact_is_told_to_the_writer_as_clearly_the_first() -> None:
    (only,) = told("When do you open?", SURE)

    assert only.scores == (4.0 + LEAD, 1.0, 0.0)
    assert only.none == SURE.none


def test_where_perhaps_no_fact_answers_the_writer_is_told_what_was_found() -> None:
    unsure = Found((1.0, 0.5, 0.0), none=1.5, talk=-6.0)

    assert told("Do you sell maps?", unsure) == (unsure,)
    assert not is_silent(unsure)


def test_where_it_is_clear_that_no_fact_answers_nobody_need_write() -> None:
    assert is_silent(Found((1.0, 0.5, 0.0), none=4.0, talk=-6.0))
    assert not is_silent(SURE)
    assert not is_silent(Found(()))


def test_small_talk_is_neither_led_nor_refused() -> None:
    hello = Found((1.0, 0.5, 0.0), none=4.0, talk=3.0)

    assert told("Hello!", hello) == (hello,)
    assert not is_silent(hello)


def test_a_question_for_two_things_is_led_by_one_fact_after_the_other() -> None:
    first, second = told("Which is cheaper, the boat or the bus?", NEAR)

    assert first == led_by(NEAR, 0)
    assert second == led_by(NEAR, 1)
    assert max(second.scores) == second.scores[1] == 4.0 + LEAD


def test_words_and_nearness_tell_that_a_question_takes_two_facts() -> None:
    assert takes_two("Which is cheaper, the boat or the bus?", NEAR) > takes_two("How much?", NEAR)
    assert takes_two("The boat or the bus?", NEAR) > takes_two("The boat or the bus?", SURE)


def test_odds_of_none_are_those_of_the_chances() -> None:
    chance = 1 - sum(NEAR.chances)

    assert math.isclose(none_odds(NEAR), math.log(chance / (1 - chance)))
    assert none_odds(Found((1.0, 2.0))) == -math.inf


def test_where_only_words_were_compared_the_best_fact_still_leads() -> None:
    assert told("When?", Found((1.0, 3.0)))[0].scores == (1.0, 3.0 + LEAD)
    assert told("When?", Found(())) == (Found(()),)
