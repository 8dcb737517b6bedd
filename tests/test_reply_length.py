"""A reply made to last as long as was asked for."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atonce.agent.reply_length import fitted, speech_s

LONG = (
    "The great loom is in room 6, on the ground floor. It is shown at work every day at 11:15 am."
)
SEVEN = "The museum is open from 9:30 am to 5:45 pm, Wednesday to Monday. It is closed on Tuesday."
# Replies with the seconds that the voice "joe" took for them.
SPOKEN = [
    (SEVEN, 7.12),
    ("On Friday we close later than usual, at 8:15 pm.", 3.59),
    ("Visitors over 65 pay $9.50.", 3.13),
    (LONG, 5.49),
    ("The special exhibition runs until October 18.", 2.95),
    ("Bus number 27 stops in front of the museum.", 2.85),
    ("Dogs are not allowed in the museum, except assistance dogs.", 3.47),
    ("A lift goes to all floors, and wheelchairs are lent free at the front desk.", 3.93),
]


@pytest.mark.parametrize(("text", "seconds"), SPOKEN)
def test_the_length_of_speech_is_known_to_a_fifth(text: str, seconds: float) -> None:
    assert speech_s(text) == pytest.approx(seconds, rel=0.2)


def best(reply: str, question: str, seconds: float, more: Sequence[str] = ()) -> str:
    """What is said where the check has nothing against it."""
    return next(iter(fitted(reply, question, seconds, more)), "")


def test_sentences_are_left_out_where_the_reply_is_too_long() -> None:
    assert best(LONG, "where is the great loom", 6) == LONG
    assert best(LONG, "where is the great loom", 3) == LONG.split(". ")[0] + "."


@pytest.mark.parametrize(
    ("reply", "question", "kept"),
    [
        (LONG, "when is it shown", "at 11:15 am"),
        ("The tour starts at the fountain at 2 pm. It costs $5.", "how much is the tour", "$5"),
        ("The tour starts at the fountain at 2 pm. It costs $5.", "when is the tour", "2 pm"),
        ("We are open daily until 5 pm. We are closed on Monday.", "are you open", "Monday"),
        ("A ticket costs $14. Children get in free.", "what do children pay", "Children"),
        ("It is old. It lasts 50 minutes.", "how long is the tour", "50 minutes"),
        ("It is old. It is 300 metres from here.", "how far is it", "300 metres"),
    ],
)
def test_the_answer_is_never_left_out(reply: str, question: str, kept: str) -> None:
    for seconds in (1, 2, 3, 6):
        assert all(kept in text for text in fitted(reply, question, seconds))


@pytest.mark.parametrize(
    ("reply", "question", "said"),
    [
        ("A tour starts at 2:30 pm at the fountain and lasts 50 minutes.", "when is the tour",
         "A tour starts at 2:30 pm at the fountain."),
        ("A locker takes a coin of $1, which is returned afterwards.", "what does a locker cost",
         "A locker takes a coin of $1."),
        ("A lift goes to all floors, and wheelchairs are lent free.", "is there a lift",
         "A lift goes to all floors."),
        ("The museum has a garden, 200 metres from the bridge.", "is there a garden",
         "The museum has a garden."),
    ],
)  # fmt: skip
def test_a_clause_goes_where_a_sentence_is_too_long(reply: str, question: str, said: str) -> None:
    assert best(reply, question, 1.5) == said


@pytest.mark.parametrize(
    "reply",
    [
        "Dogs are allowed in the garden, on leads only.",
        "The lift goes to all floors, and is not for bicycles.",
        "Photography is allowed without flash, but not in the special exhibition.",
        "Dogs are not allowed in the museum, except assistance dogs.",
        "We lend maps, wheelchairs and strollers.",
        "The garden is open, at present, to members.",
    ],
)
def test_nothing_that_limits_what_is_said_is_left_out(reply: str) -> None:
    assert fitted(reply, "is it allowed", 1) == [reply]


MORE = ("It is free. Children must be with an adult.", "The cafe closes at 5 pm. It is upstairs.")


def test_what_is_too_short_is_followed_by_what_is_nearest_to_the_question() -> None:
    assert best("It is free.", "is it free", 3, MORE).startswith("It is free. Children must")
    assert best("It is free.", "is it free", 1, MORE) == "It is free."


def test_without_more_facts_a_short_reply_stays_short() -> None:
    assert fitted("It is free.", "is it free", 30) == ["It is free."]


def test_what_lasts_long_enough_is_offered_first() -> None:
    for seconds in (2.5, 4, 5, 6):
        text = best("It is free.", "is it free", seconds, MORE)
        assert speech_s(text) == pytest.approx(seconds, rel=0.25), text


def test_a_sentence_that_was_cut_off_is_left_out() -> None:
    assert fitted("It is free. Children under", "is it free", 2) == ["It is free."]
    assert fitted("Children under", "is it free", 2) == []


@given(
    st.lists(st.sampled_from(["It is free.", "Go up!", "Dogs may stay, too."]), max_size=5),
    st.floats(0.5, 30),
)
def test_only_whole_sentences_of_the_reply_are_said_in_their_order(
    said: list[str], seconds: float
) -> None:
    text = " ".join(said)
    chosen = fitted(text, "is it free", seconds)
    assert all(one in text for one in chosen)
    assert bool(chosen) == bool(said)
