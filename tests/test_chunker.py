"""A reply in chunks."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atonce.speech.chunker import FIRST_CHARACTERS, GROWTH, MOST_CHARACTERS, chunks
from atonce.speech.spoken import speak

LONG = "An adult ticket costs $14 on every day of the week, and children under 10 get in free."
SNIPPETS = [
    *("$14.50", "9:05 am", "12-10-1990", "Henry VIII", "Dr. Smith", "Main St.", "555-0142", "B27"),
    *(
        "2 * 3 = 6",
        "3/4",
        "5 km",
        "info@a.org",
        "https://a.org/x",
        "**b**",
        "#",
        "(",
        ")",
        "!",
        "?",
    ),
    *(".", ",", ":", "No.", "p.m.", "e.g.", "😀", "\n", "\n\n", "- ", "1. ", "the", "and", "word"),
]
REPLIES = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(SNIPPETS), max_size=40).map(" ".join),
    st.lists(st.sampled_from(SNIPPETS), max_size=6).map("".join),
)


def spoken(reply: str) -> list[str]:
    """What is said, chunk by chunk."""
    return [chunk.text for chunk in chunks(speak(reply))]


def written(reply: str) -> list[str]:
    """What is written, chunk by chunk."""
    return [reply[chunk.start : chunk.end] for chunk in chunks(speak(reply))]


@pytest.mark.parametrize(
    ("reply", "cut"),
    [
        ("We open at 9:30 am. We close at 5 pm.", ["We open at 9:30 am. ", "We close at 5 pm."]),
        ("No. It is closed.", ["No. ", "It is closed."]),
        ("I am in. No. I am out.", ["I am in. ", "No. ", "I am out."]),
        ("Take bus no. 27 to town.", ["Take bus no. 27 to town."]),
        ("Ask Dr. Smith. She knows.", ["Ask Dr. Smith. ", "She knows."]),
        ("Go to Main St. It is near.", ["Go to Main St. ", "It is near."]),
        ("It starts at 3 p.m. It is free.", ["It starts at 3 p.m. ", "It is free."]),
        ("It takes approx. 5 min. in all.", ["It takes approx. 5 min. in all."]),
        ("It costs $14.50 today.", ["It costs $14.50 today."]),
        ("Visit museum.org now. Go!", ["Visit museum.org now. ", "Go!"]),
        ("Really? Yes! Come in.", ["Really? ", "Yes! ", "Come in."]),
        ("Wait ... What?", ["Wait ... ", "What?"]),
        ('He said "Stop." Then he left.', ['He said "Stop." ', "Then he left."]),
        ("Yes. 7. Good.", ["Yes. ", "7. ", "Good."]),
        (
            "Prof. Ito pays 2.75 at shop.test by 7 p.m. please. See you!",
            ["Prof. Ito pays 2.75 at shop.test by 7 p.m. please. ", "See you!"],
        ),
        ("# Prices\n\n- one\n- two", ["# Prices\n\n- ", "one\n- ", "two"]),
        ("😀 Hello. 🎉 Bye.", ["😀 Hello. 🎉 ", "Bye."]),
        ("Yes! ...", ["Yes! ..."]),
    ],
)
def test_chunks_end_where_a_person_would_end_a_sentence(reply: str, cut: list[str]) -> None:
    assert written(reply) == cut


@pytest.mark.parametrize("reply", ["", " ", "...", "😀", "***", "```\na = 1\nb = 2\n```", "— \n —"])
def test_a_reply_without_words_has_no_chunks(reply: str) -> None:
    assert list(chunks(speak(reply))) == []


def test_a_long_first_sentence_gives_its_first_clause_early() -> None:
    reply = "If you have a ticket already, the way in is on the left of the great hall of the loom."

    assert spoken(reply) == [
        "If you have a ticket already,",
        "the way in is on the left of the great hall of the loom.",
    ]


def test_where_no_clause_is_near_the_first_chunk_ends_where_a_speaker_draws_breath() -> None:
    assert spoken(LONG) == [
        "An adult ticket costs fourteen dollars",
        "on every day of the week, and children under ten get in free.",
    ]


def test_a_short_first_sentence_stays_whole_and_the_next_is_made_while_it_is_heard() -> None:
    assert spoken("Yes, of course. " + LONG)[:2] == [
        "Yes, of course.",
        "An adult ticket costs fourteen dollars",
    ]


def test_a_clause_too_short_to_stand_alone_is_not_torn_off() -> None:
    reply = "Well, the special exhibition about the weavers of the northern valleys runs until May."

    assert spoken(reply)[0] == "Well, the special exhibition about the weavers"


def test_a_reply_without_punctuation_is_cut_between_words() -> None:
    reply = " ".join(f"wordnumber{'abcdefghij'[place % 10]}" for place in range(60))
    cut = spoken(reply)

    assert len(cut) > 3
    assert len(cut[0]) <= FIRST_CHARACTERS
    assert max(map(len, cut)) <= MOST_CHARACTERS
    assert " ".join(cut) == reply


def test_a_value_longer_than_a_chunk_is_not_torn() -> None:
    reply = "It costs $123,456,789,123.45 and you pay it now."

    assert spoken(reply)[1].startswith("one hundred twenty-three billion")
    assert written(reply)[1].startswith("$123,456,789,123.45")


@pytest.mark.parametrize("value", ["+44 20 7946 0958", "2 * 3 + 4 * 5 + 6 * 7 = 68", "12-10-1990"])
def test_no_phone_number_sum_or_date_is_cut_inside(value: str) -> None:
    for words in range(12):
        reply = "so " * words + value + " so" * 40

        assert any(value in piece for piece in written(reply))


def test_a_title_stays_with_its_name() -> None:
    for words in range(16):
        reply = "word " * words + "Dr. Smith" + " word" * 40

        assert any("Dr. Smith" in piece for piece in written(reply))


def test_a_chunk_tells_whether_a_sentence_ends_with_it() -> None:
    found = list(chunks(speak("Yes, of course. " + LONG + " Come")))

    assert [chunk.ends_sentence for chunk in found] == [True, False, True, True]


def test_a_chunk_knows_its_place_among_the_words_of_the_reply() -> None:
    reply = speak("Yes, of course. " + LONG)

    for chunk in chunks(reply):
        assert reply.words[chunk.first_word : chunk.first_word + len(chunk.words)] == chunk.words


@settings(deadline=None)
@given(REPLIES)
def test_nothing_is_lost_and_nothing_said_twice(reply: str) -> None:
    whole = speak(reply)
    found = list(chunks(whole))

    assert " ".join(chunk.text for chunk in found) == whole.text
    assert [word for chunk in found for word in chunk.words] == list(whole.words)

    if found:
        assert "".join(reply[chunk.start : chunk.end] for chunk in found) == reply


@settings(deadline=None)
@given(REPLIES)
def test_every_chunk_has_something_to_say_and_cuts_no_value(reply: str) -> None:
    found = list(chunks(speak(reply)))

    assert all(any(map(str.isalnum, chunk.text)) for chunk in found)

    for one, other in pairwise(found):
        assert one.words[-1].end <= other.words[0].start
        assert not one.words[-1].is_tied


@settings(deadline=None)
@given(st.lists(st.sampled_from(["word", "and", "wonderful", "so,", "end."]), max_size=120))
def test_the_first_chunk_is_short_and_each_is_made_while_those_before_are_heard(
    words: list[str],
) -> None:
    said = 0

    for chunk in chunks(speak(" ".join(words))):
        assert len(chunk.text) <= min(MOST_CHARACTERS, max(FIRST_CHARACTERS, GROWTH * said))
        said += len(chunk.text)
