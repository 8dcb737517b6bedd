"""A reply made to last as long as was asked for."""

from __future__ import annotations

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


def test_sentences_are_left_out_where_the_reply_is_too_long() -> None:
    assert fitted(LONG, "where is the great loom", 6) == LONG
    assert fitted(LONG, "where is the great loom", 3) == LONG.split(". ")[0] + "."


@pytest.mark.parametrize(
    ("reply", "question", "kept"),
    [
        (LONG, "when is it shown", "at 11:15 am"),
        ("The tour starts at the fountain at 2 pm. It costs $5.", "how much is the tour", "$5"),
        ("The tour starts at the fountain at 2 pm. It costs $5.", "when is the tour", "2 pm"),
        ("We are open daily until 5 pm. We are closed on Monday.", "are you open", "Monday"),
        ("It is old. It lasts 50 minutes.", "how long is the tour", "50 minutes"),
        ("It is old. It is 300 metres from here.", "how far is it", "300 metres"),
    ],
)
def test_the_answer_is_never_left_out(reply: str, question: str, kept: str) -> None:
    for seconds in (1, 2, 3, 6):
        assert kept in fitted(reply, question, seconds)


def test_a_reply_is_not_made_longer() -> None:
    assert fitted("It is free.", "is it free", 30) == "It is free."


def test_a_sentence_that_was_cut_off_is_left_out() -> None:
    assert fitted("It is free. Children under", "is it free", 2) == "It is free."
    assert fitted("Children under", "is it free", 2) == ""


@given(
    st.lists(st.sampled_from(["It is free.", "Go up!", "Dogs may stay, too."]), max_size=5),
    st.floats(0.5, 30),
)
def test_only_whole_sentences_of_the_reply_are_said_in_their_order(
    said: list[str], seconds: float
) -> None:
    text = " ".join(said)
    chosen = fitted(text, "is it free", seconds)
    assert chosen in text
    assert bool(chosen) == bool(said)
