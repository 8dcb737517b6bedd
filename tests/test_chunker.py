"""A reply in chunks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atonce.speech.chunker import chunks, sentences

LONG = "An adult ticket costs $14 on every day of the week, and children under 10 get in free."


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("We open at 9:30 am. We close at 5 pm.", ["We open at 9:30 am.", "We close at 5 pm."]),
        ("No. It is closed.", ["No.", "It is closed."]),
        ("Take bus no. 27 to town.", ["Take bus no. 27 to town."]),
        ("Ask Dr. Smith. She knows.", ["Ask Dr. Smith.", "She knows."]),
        ("It starts at 3 p.m. It is free.", ["It starts at 3 p.m.", "It is free."]),
        ("It costs $14.50 today.", ["It costs $14.50 today."]),
        ("Visit museum.org now.", ["Visit museum.org now."]),
        ("Really? Yes! Come in.", ["Really?", "Yes!", "Come in."]),
        ("Wait ... What?", ["Wait ...", "What?"]),
        ("Yes! ...", ["Yes! ..."]),
        ("...", []),
        ("", []),
    ],
)
def test_sentences_end_where_a_person_would_end_them(text: str, cut: list[str]) -> None:
    assert sentences(text) == cut


def test_a_number_alone_is_a_sentence() -> None:
    assert sentences("Yes. 7. Good.") == ["Yes.", "7.", "Good."]


def test_a_long_first_sentence_gives_its_first_clause_early() -> None:
    assert list(chunks(LONG)) == [
        "An adult ticket costs $14 on every day of the week,",
        "and children under 10 get in free.",
    ]


def test_a_short_first_sentence_stays_whole() -> None:
    assert list(chunks("Yes, of course. " + LONG)) == ["Yes, of course.", LONG]


def test_a_long_sentence_without_a_clause_stays_whole() -> None:
    text = "The special exhibition about the weavers of the northern valleys runs until October 18."

    assert list(chunks(text)) == [text]


def test_a_clause_too_short_to_stand_alone_is_not_torn_off() -> None:
    text = "Well, the special exhibition about the weavers of the northern valleys runs until May."

    assert list(chunks(text)) == [text]


@given(st.text("ab1 ,.!?$:;", max_size=120))
def test_no_word_is_lost_or_said_twice(text: str) -> None:
    words = [word for word in " ".join(chunks(text)).split() if any(c.isalnum() for c in word)]

    assert words == [word for word in text.split() if any(c.isalnum() for c in word)]


@given(st.text("abA1 ,.!?", max_size=120))
def test_every_chunk_has_something_to_say(text: str) -> None:
    assert all(any(c.isalnum() for c in chunk) for chunk in chunks(text))
