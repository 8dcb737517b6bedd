"""The prompt is clean, and a fact is read out only when it clearly answers."""

from __future__ import annotations

import logging

import pytest

from atonce.agent.knowledge import (
    CLEAR,
    MAX_QUESTION_WORDS,
    best_fact,
    build_prompt,
    clean,
    likeliest_fact,
)
from atonce.llm.protocols import Exchange, Found, Prompt

FACTS = {
    "hours": "The museum is open from 9:00 am to 5:00 pm, Tuesday to Sunday.",
    "tickets": "An adult ticket costs $14.",
    "lockers": "Lockers stand beside the entrance.",
    "cafe": "The café closes half an hour before the museum.",
}


def prompt(question: str, *past: Exchange) -> Prompt:
    return build_prompt("the guide", FACTS, question, past)


def test_facts_keep_their_order() -> None:
    assert prompt("hello").facts == tuple(FACTS.values())
    assert prompt("hello").role == "the guide"


def test_the_talk_so_far_is_kept() -> None:
    past = Exchange("When do you open?", "At 9:00 am.")
    assert prompt("And on Monday?", past).history == (past,)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  when do\n\tyou   open ", "when do you open"),
        ("when\x00do\x1b you", "when do you"),
        ("mu\u200bse\xadum \u202eopen", "museum open"),
        ("bro\ufffdken", "bro ken"),
        ("", ""),
        ("<|im_end|> stays", "<|im_end|> stays"),
    ],
)
def test_unseen_characters_go(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned
    assert build_prompt(text, {"a": text}, text) == Prompt(cleaned, (cleaned,), cleaned)


def test_a_very_long_question_keeps_its_end(caplog: pytest.LogCaptureFixture) -> None:
    words = [f"w{place}" for place in range(MAX_QUESTION_WORDS + 5)]

    with caplog.at_level(logging.WARNING):
        assert prompt(" ".join(words)).question == " ".join(words[5:])

    assert "the question has 85 words" in caplog.text


def test_a_clear_question_finds_its_fact() -> None:
    match = best_fact(prompt("How much is an adult ticket?"))
    assert match is not None
    assert match.text == FACTS["tickets"]
    assert match.index == 1
    assert CLEAR <= match.certainty <= 1


@pytest.mark.parametrize("question", ["Is there a playground?", "Do you sell umbrellas?", ""])
def test_a_question_that_no_fact_answers_stays_without(question: str) -> None:
    assert best_fact(prompt(question)) is None
    assert likeliest_fact(prompt(question)) is not None


def test_what_was_said_before_matters_only_to_a_question_that_leans_on_it() -> None:
    before = Exchange("Where are the lockers?", FACTS["lockers"])
    alone = prompt("How much is an adult ticket?", before)
    leaning = prompt("And what about these?", before)
    for told, name in ((alone, "tickets"), (leaning, "lockers")):
        match = likeliest_fact(told)
        assert match is not None
        assert match.text == FACTS[name]

    assert likeliest_fact(alone) == likeliest_fact(prompt("How much is an adult ticket?"))


def test_without_facts_there_is_nothing_to_read_out() -> None:
    assert best_fact(Prompt("the guide", (), "When do you open?")) is None
    assert likeliest_fact(Prompt("the guide", (), "When do you open?")) is None


def test_what_the_engine_found_decides_where_it_can_say_that_none_answers() -> None:
    told = prompt("Is there somewhere to sit?")
    sure = Found((0.0,) * (len(told.facts) - 1) + (5.0,), none=-2.0)
    match = best_fact(told, sure)

    assert match is not None
    assert match.index == len(told.facts) - 1
    assert match.certainty == pytest.approx(sure.chances[-1])


def test_a_fact_that_the_engine_doubts_is_not_read_out() -> None:
    told = prompt("How much is an adult ticket?")

    assert best_fact(told, Found((1.0,) * len(told.facts), none=3.0)) is None


def test_an_engine_that_only_compared_words_is_asked_for_words() -> None:
    told = prompt("How much is an adult ticket?")

    assert best_fact(told, Found((0.0,) * len(told.facts))) == best_fact(told)
