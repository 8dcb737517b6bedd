"""Whether a question leans on the last turn or stands alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atonce.llm.finder import Finder
from atonce.llm.leaning import leans, needed, said_last, stands_alone
from atonce.llm.lessons import UNKNOWN
from atonce.llm.protocols import Exchange, Found, Prompt

FACTS = (
    "The pottery workshop is in room 12, on the second floor. A place costs $8.",
    "Lockers are behind the ticket desk. Each takes a coin of $1, which is returned afterwards.",
    "A guided tour starts at the fountain at 2:30 pm and lasts 50 minutes. It costs $5.",
    "The museum is open from 9:30 am to 5:45 pm, Wednesday to Monday.",
    "On Friday we close later than usual, at 8:15 pm.",
    "An adult ticket costs $14. Children under 10 get in free.",
    "Visitors over 65 pay $9.50.",
)
POTTERY = Exchange("Where is the pottery workshop?", FACTS[0])
DOUBTFUL = Found((1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4), none=1.0)
SURE_OF_POTTERY = Found((6.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0), none=0.0)
SURE_OF_LOCKERS = Found((0.0, 6.0, 0.0, 0.0, 0.0, 0.0, 0.0), none=0.0)


def test_a_pronoun_that_finds_something_only_behind_the_last_turn_leans_on_it() -> None:
    assert leans("How much is it?", FACTS, POTTERY, alone=DOUBTFUL, behind=SURE_OF_POTTERY)


def test_a_question_that_clearly_finds_its_own_fact_stands_alone() -> None:
    question = "Where are the lockers?"

    assert not leans(question, FACTS, POTTERY, alone=SURE_OF_LOCKERS, behind=SURE_OF_POTTERY)


def test_nothing_is_known_yet_of_a_question_that_is_read_ahead() -> None:
    assert leans("", FACTS, POTTERY, alone=SURE_OF_LOCKERS, behind=SURE_OF_LOCKERS)


def test_the_fact_that_was_read_out_last_is_known_by_its_words() -> None:
    assert said_last(FACTS, POTTERY) == 0
    assert said_last(FACTS, Exchange("Hello.", "Mmh?")) is None


def test_a_single_fact_is_no_trouble() -> None:
    one = Found((1.0,), none=0.0)

    assert leans("And that?", FACTS[:1], POTTERY, alone=one, behind=one) in (True, False)


def prompt(*history: Exchange) -> Prompt:
    return Prompt("a guide", FACTS, "And that?", history)


def test_only_the_last_turn_is_read_and_only_by_a_question_that_leans() -> None:
    hello = Exchange("Hello.", "Hello! How can I help you?")

    assert needed(prompt(hello, POTTERY), Found((1.0,))).history == (POTTERY,)
    assert needed(prompt(hello, POTTERY), Found((1.0,), leans=False)).history == ()


def test_a_refusal_is_not_read_again() -> None:
    refused = Exchange("Is it heated?", f"{UNKNOWN} Please ask a member of staff.")

    assert needed(prompt(refused), Found((1.0,))).history == ()


# ---- with the true finder ----


@pytest.fixture(scope="module")
def finder(minilm: Path) -> Finder:
    return Finder.load(minilm)


@pytest.mark.models
@pytest.mark.parametrize(
    ("before", "question", "value"),
    [
        (2, "And how long does it take?", "50 minutes"),
        (2, "Where does it start?", "fountain"),
        (0, "What does it cost?", "$8"),
        (0, "Where are the lockers?", "Lockers"),
        (0, "When does the museum open?", "9:30"),
        (1, "What does an adult ticket cost?", "$14"),
        (6, "When does the guided tour start?", "2:30"),
    ],
)
def test_follow_ups_find_their_fact_and_so_do_questions_about_something_else(
    finder: Finder, before: int, question: str, value: str
) -> None:
    about = ("the pottery workshop", "the lockers", "the guided tour", "", "", "", "seniors")
    past = Exchange(f"What about {about[before]}?", FACTS[before])
    scores = finder.find(question, FACTS, (past,)).scores

    assert value in FACTS[scores.index(max(scores))]


@pytest.mark.models
def test_a_question_that_stands_alone_is_answered_as_if_nothing_had_been_said(
    finder: Finder,
) -> None:
    found = finder.find("Where are the lockers?", FACTS, (POTTERY,))

    assert not found.leans
    assert found.scores == pytest.approx(
        finder.find("Where are the lockers?", FACTS, ()).scores, abs=1e-3
    )


LOGITS = st.lists(st.floats(-12, 12), min_size=len(FACTS), max_size=len(FACTS)).map(tuple)
FOUND = st.builds(Found, LOGITS, none=st.floats(-12, 12))


@given(
    st.sampled_from(
        ["Where are the lockers?", "And on Friday?", "How much is it?", "Tell me more"]
    ),
    FOUND,
    FOUND,
)
def test_what_stands_alone_leans_in_no_case_whatever_is_found_behind_the_last_turn(
    question: str, alone: Found, behind: Found
) -> None:
    if stands_alone(question, FACTS, POTTERY, alone):
        assert not leans(question, FACTS, POTTERY, alone=alone, behind=behind)


def test_a_clear_question_need_not_be_looked_for_behind_the_last_turn() -> None:
    clear = Found((0.0, 9.0, 0.0, 0.0, 0.0, 0.0, 0.0), none=0.0)

    assert stands_alone("Where are the lockers of the museum?", FACTS, POTTERY, clear)
    assert not stands_alone("And that?", FACTS, POTTERY, DOUBTFUL)
    assert not stands_alone("", FACTS, POTTERY, clear)
