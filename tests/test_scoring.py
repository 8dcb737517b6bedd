"""Whether a reply is right."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from atonce.llm.corpus import Example, draw_example, draw_scene, load_packs
from atonce.llm.figures import Figure, figures, is_same, names
from atonce.llm.protocols import Exchange, Prompt
from atonce.llm.scoring import judge, plain, question_kinds, repeats, satisfies

FACTS = (
    "Adult tickets cost $14.",
    "We open at 9:30 am, from Tuesday on.",
    "Bay B27 is free. Marco looks after it.",
)
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
DEV = load_packs(Path(__file__).parents[1] / "corpus" / "dev")


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ("It costs $14.", True),
        ("That is 14 dollars.", True),
        ("That is fourteen dollars.", True),
        ("It costs $140.", False),
        ("It costs $14.50.", False),
        ("We open at 9:30 am.", False),
        ("", False),
    ],
)
def test_a_grounded_reply_holds_what_is_demanded(reply: str, right: bool) -> None:
    assert judge(EXAMPLE, reply).is_right is right


@pytest.mark.parametrize(
    ("reply", "must", "right"),
    [
        ("From 9:30 am to 5:45 pm.", ["9:30 am", "5:45 pm"], True),
        ("From 9:30 am.", ["9:30 am", "5:45 pm"], False),
        ("At nine am.", ["9:00 am"], True),
        ("At 9 a.m. sharp", ["9:00 am"], True),
        ("Closed on Mondays.", ["Monday"], True),
        ("The price includes it.", ["includ"], True),
        ("Dogs aren't allowed.", ["n't allowed|no dogs"], True),
        ("It is open now.", ["no"], False),
        ("Take the cart.", ["car"], False),
        ("Bay B278.", ["B27"], False),
    ],
)
def test_every_demand_must_be_met_by_whole_words_and_numbers(
    reply: str, must: list[str], right: bool
) -> None:
    assert satisfies(reply, must) is right


@pytest.mark.parametrize(
    "reply",
    [
        "I'm sorry, I don't have that information.",
        "I\u2019m afraid I don\u2019t know.",
        "I have no details about that.",
        "Nobody has told me, I'm afraid. I can't say.",
        "That isn't something I know, sorry.",
        "I only know the prices for adults.",
    ],
)
def test_an_unknown_turn_is_right_when_the_reply_says_so(reply: str) -> None:
    assert judge(UNKNOWN, reply).is_right


@pytest.mark.parametrize(
    "reply",
    [
        "It costs $14.",
        "I don't know, maybe $15.",
        "You don't have to book.",
        "No, we don't have to.",
        "",
    ],
)
def test_an_unknown_turn_is_wrong_when_something_is_claimed(reply: str) -> None:
    assert not judge(UNKNOWN, reply).is_right


def test_talk_is_right_when_it_is_answered() -> None:
    assert judge(TALK, "You're welcome!").is_right
    assert not judge(TALK, "I don't know.").is_right
    assert not judge(TALK, " ").is_right


@pytest.mark.parametrize(
    "reply", ["It costs $99.", "Come at 9 pm.", "Ask Linda.", "On Fridays.", "It is twelve."]
)
def test_a_value_from_nowhere_is_invented(reply: str) -> None:
    assert judge(EXAMPLE, f"Well. You see, {reply}").is_invented


def test_what_the_talk_or_the_facts_hold_is_not_invented() -> None:
    assert not judge(EXAMPLE, "At eight it costs fourteen dollars, ask Marco.").is_invented


@pytest.mark.parametrize(
    "reply",
    ["It costs 9:30.", "It costs $14, from 9:30 am.", "Go to B27.", "Tuesdays.", "Ask Marco."],
)
def test_a_value_that_only_another_fact_holds_is_wrong(reply: str) -> None:
    assert judge(EXAMPLE, reply).is_wrong_value


@pytest.mark.parametrize("reply", ["It costs $14.", "It costs $99.", "Ask Linda.", "I don't know."])
def test_a_value_of_the_own_fact_or_of_none_is_no_wrong_value(reply: str) -> None:
    assert not judge(EXAMPLE, reply).is_wrong_value


def test_a_refusal_of_what_is_known_is_counted() -> None:
    assert judge(EXAMPLE, "I don't know.").is_refused
    assert not judge(UNKNOWN, "I don't know.").is_refused


@pytest.mark.parametrize(
    ("reply", "repeating"),
    [
        ("The the ticket costs $14.", True),
        ("It is very, very cheap.", True),
        ("It is open from nine and it is open from nine.", True),
        ("Call 555 555 0142.", False),
        ("Thank you! You've made my day.", False),
        ("Soil comes with it, it's free.", False),
        ("Dogs and cats.", False),
    ],
)
def test_a_stutter_and_a_loop_are_seen(reply: str, repeating: bool) -> None:
    assert repeats(reply) is repeating


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("9:30 pm", "time", "1290"),
        ("nine a.m.", "time", "540"),
        ("noon", "time", "720"),
        ("$1,200.50", "money", "1200.5"),
        ("fourteen dollars", "money", "14"),
        ("20%", "percent", "20"),
        ("twenty-five", "number", "25"),
        ("555 0142", "phone", "555 0142"),
        ("B27", "code", "b27"),
        ("Fridays", "day", "friday"),
        ("in May", "month", "may"),
    ],
)
def test_values_are_found_in_one_form(text: str, kind: str, value: str) -> None:
    assert [(figure.kind, figure.text) for figure in figures(text)] == [(kind, value)]


@pytest.mark.parametrize("text", ["one of them", "you may", "no value here", ""])
def test_words_that_only_look_like_values_are_none(text: str) -> None:
    assert not figures(text)


def test_a_bare_number_may_have_lost_its_unit_but_units_do_not_mix() -> None:
    nine, morning, evening, price = (
        next(iter(figures(text))) for text in ("9", "9 am", "9 pm", "$9")
    )
    assert is_same(nine, morning)
    assert is_same(price, nine)
    assert not is_same(morning, evening)
    assert not is_same(morning, price)


def test_names_are_words_with_a_capital_inside_a_sentence() -> None:
    assert names("Ask Marco. Then see Nadia's desk on Friday.") == {
        Figure("name", "marco"),
        Figure("name", "nadia"),
    }
    assert Figure("name", "marco") in names("Marco knows.", with_first=True)
    assert not names("The I is no name.")


def test_the_right_replies_of_the_packs_pass_the_scorer() -> None:
    dice = Random(3)
    verdicts = []
    for pack in DEV:
        scene = draw_scene(pack, dice)
        for dialogue, turns in enumerate(pack.dialogues):
            for turn in range(len(turns)):
                example = draw_example(scene, dialogue, turn, dice)
                alone = replace(example, replies=())
                verdicts += [judge(alone, reply) for reply in example.replies]

    faults = [
        v
        for v in verdicts
        if not v.is_right or v.is_invented or v.is_wrong_value or v.is_repeating or v.is_refused
    ]
    assert len(verdicts) > 400
    assert len(faults) <= 0.01 * len(verdicts)


def test_a_turn_has_several_kinds_of_question() -> None:
    assert question_kinds(UNKNOWN) == ("the facts are silent",)
    assert question_kinds(TALK) == ("small talk",)
    assert question_kinds(EXAMPLE) == (
        "asks for a price",
        "a later turn of a talk",
        "rests on one fact",
        "shares no word with its fact",
    )


def test_words_are_compared_without_their_dress() -> None:
    assert plain("On Mondays, it isn't 9:00 A.M.") == " on monday it is n't 9 am "
