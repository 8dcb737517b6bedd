"""What is only copied needs no reading over; one word that differs is enough to need it."""

from __future__ import annotations

import pytest

from atonce.agent.copied import is_copied, slips

KNOWN = (
    "An adult ticket costs $14. Children under 10 get in free.",
    "We open at 9:30 a.m. on Fridays.",
    "I'm sorry, I don't have that information.",
)


@pytest.mark.parametrize(
    "reply",
    [
        "An adult ticket costs $14.",
        "Children under 10 get in free. An adult ticket costs $14.",
        "Yes. Children under 10 get in free.",
        "No, we open at 9:30 a.m. on Fridays.",
        "I\u2019m sorry, I don\u2019t have that information.",
    ],
)
def test_sentences_of_the_facts_are_copied(reply: str) -> None:
    assert is_copied(reply, KNOWN)


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "...",
        "An adult ticket adult $14.",
        "An adult ticket costs 14.",
        "An adult ticket costs.",
        "Children under 10 get in free. You safely!",
        "Children under 10 get in free. No. An adult ticket costs $14.",
        "I'm sorry is I don't have that information.",
        "We open at 9:30.",
    ],
)
def test_a_changed_or_cut_sentence_is_not(reply: str) -> None:
    assert not is_copied(reply, KNOWN)


def test_nothing_is_copied_from_nothing() -> None:
    assert not is_copied("An adult ticket costs $14.", ())


@pytest.mark.parametrize(
    ("reply", "place"),
    [
        ("An adult ticket adult $14.", "adult"),
        ("Children under 10 get in free. An ticket costs $14.", "ticket"),
        ("No open at 9:30 a.m. on Fridays.", "No"),
        ("We open open at 9:30 a.m. on Fridays.", "open"),
    ],
)
def test_one_word_that_differs_is_a_slip_with_its_place(reply: str, place: str) -> None:
    assert [reply[start:end] for start, end in slips(reply, KNOWN)] == [place]


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "An adult ticket costs $14.",
        "Sorry, we open at 9:30 a.m. on Fridays.",
        "For adults it is $14.",
        "Get in free.",
    ],
)
def test_other_words_are_no_slip(reply: str) -> None:
    assert slips(reply, KNOWN) == ()
