"""Whether a reply is right."""

from __future__ import annotations

from dataclasses import replace

import pytest

from atonce.llm.corpus import Example
from atonce.llm.protocols import Exchange, Prompt
from atonce.llm.scoring import judge, repeats, satisfies

FACTS = ("Adult tickets cost $14.", "We open at 9:30 am.", "Bay B27 is free.")
EXAMPLE = Example(
    Prompt("a guide", FACTS, "how much is it", (Exchange("hi", "Hello, it is 8 now."),)),
    ("A ticket costs $14.",),
    (0,),
    ("$14|14 dollars",),
    is_unknown=False,
    key="museum/0/0",
)
UNKNOWN = replace(EXAMPLE, gold=(), must=(), is_unknown=True)
TALK = replace(EXAMPLE, gold=(), must=())


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ("It costs $14.", True),
        ("That is 14 dollars.", True),
        ("It costs $140.", False),
        ("It costs $14.50.", False),
        ("We open at 9:30 am.", False),
        ("", False),
    ],
)
def test_a_grounded_reply_holds_what_is_demanded(reply: str, right: bool) -> None:
    assert judge(EXAMPLE, reply).is_right is right


def test_every_demand_must_be_met() -> None:
    assert satisfies("From 9:30 am to 5:45 pm.", ["9:30 am", "5:45 pm"])
    assert not satisfies("From 9:30 am.", ["9:30 am", "5:45 pm"])


def test_an_unknown_turn_is_right_when_the_reply_says_so() -> None:
    assert judge(UNKNOWN, "I'm sorry, I don\u2019t have that information.").is_right
    assert not judge(UNKNOWN, "It costs $14.").is_right
    assert not judge(UNKNOWN, "I don't know, maybe $15.").is_right


def test_talk_is_right_when_it_is_answered() -> None:
    assert judge(TALK, "You're welcome!").is_right
    assert not judge(TALK, "I don't know.").is_right
    assert not judge(TALK, " ").is_right


def test_a_number_from_nowhere_is_invented() -> None:
    assert judge(EXAMPLE, "It costs $99.").is_invented
    assert not judge(EXAMPLE, "At 8 it costs $14.").is_invented


def test_a_value_of_another_fact_is_wrong() -> None:
    assert judge(EXAMPLE, "It costs 9:30.").is_wrong_value
    assert not judge(EXAMPLE, "It costs $14, from 9:30.").is_wrong_value
    assert not judge(EXAMPLE, "It costs $99.").is_wrong_value


def test_a_refusal_of_what_is_known_is_counted() -> None:
    assert judge(EXAMPLE, "I don't know.").is_refused
    assert not judge(UNKNOWN, "I don't know.").is_refused


@pytest.mark.parametrize(
    ("reply", "repeating"),
    [
        ("The the ticket costs $14.", True),
        ("It is open from nine and it is open from nine.", True),
        ("Call 555 555 0142.", False),
        ("Dogs and cats.", False),
    ],
)
def test_a_stutter_and_a_loop_are_seen(reply: str, repeating: bool) -> None:
    assert repeats(reply) is repeating
