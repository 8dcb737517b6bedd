"""Small talk is told from questions, and answered with the sentences of the settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from atonce.agent.small_talk import KINDS, OTHER, courtesy, kind_of, makeshift
from atonce.config.load import defaults
from atonce.llm.corpus import load_packs
from atonce.llm.protocols import Exchange, Prompt

CORPUS = Path(__file__).parent.parent / "corpus"
SENTENCES = defaults().settings.agent.small_talk.model_dump()


def prompt(question: str, *past: tuple[str, str]) -> Prompt:
    history = tuple(Exchange(*turn) for turn in past)
    return Prompt("the guide of the mill", ("It turns.",), question, history)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Hello.", "hello"),
        ("uh hi there", "hello"),
        ("Good morning, everyone!", "hello"),
        ("Hey, how are you?", "how_are_you"),
        ("How are you doing today?", "how_are_you"),
        ("Hello, who are you?", "who"),
        ("What\u2019s your name?", "who"),
        ("Are you a robot?", "machine"),
        ("Am I talking to a real person?", "machine"),
        ("What can you do?", "abilities"),
        ("Can you help me, please?", "abilities"),
        ("Great, thanks.", "thanks"),
        ("okay thanks a lot robot", "thanks"),
        ("Thank you very much, that was helpful.", "thanks"),
        ("ok thanks bye", "goodbye"),
        ("That's all, thank you. Goodbye!", "goodbye"),
        ("You're funny.", "praise"),
        ("I love this museum.", "praise"),
        ("You stupid machine!", "insult"),
        ("Tell me a joke.", "fun"),
        ("So you're a computer, right?", "machine"),
        ("Perfect, that's all I needed.", "goodbye"),
        ("Goodbye, voice guide.", "goodbye"),
        ("Excuse me.", "hello"),
        ("What a lovely place!", "praise"),
        ("Wait a moment.", "assent"),
        ("Okay.", "assent"),
        ("Never mind.", "assent"),
        ("Sorry.", "assent"),
        ("Sorry?", "again"),
        ("Can you repeat that?", "again"),
    ],
)
def test_small_talk_has_its_kind(said: str, kind: str) -> None:
    assert kind_of(said) == kind


@pytest.mark.parametrize(
    "said",
    [
        "",
        "...",
        "um",
        "please",
        "Hi, when do you open?",
        "Thanks, and where is the lift?",
        "Are you a robot museum?",
        "Can you help me find the loom?",
        "What can you tell me about the loom?",
        "Is there a lift?",
        "How is the weather?",
        "Who is the painter?",
        "Is this a good day to come?",
        "I would like to",
        "Wait, when do you open?",
        "Are you a person who knows the loom?",
        "What's up there?",
        "and the fine",
    ],
)
def test_what_asks_something_is_no_small_talk(said: str) -> None:
    assert kind_of(said) is None


@pytest.mark.parametrize("packs", ["dev", "train"])
def test_hardly_a_question_of_the_packs_is_taken_for_small_talk(packs: str) -> None:
    asks = [
        ask
        for pack in load_packs(CORPUS / packs)
        for turns in pack.dialogues
        for turn in turns
        if turn.facts
        for ask in turn.asks
    ]
    taken = [ask for ask in asks if kind_of(ask) not in (None, "again")]
    assert len(taken) / len(asks) < 0.002


def test_every_kind_has_its_sentence_in_the_settings() -> None:
    assert {*KINDS, OTHER} == SENTENCES.keys()
    assert all(SENTENCES.values())


def test_who_it_is_comes_from_the_role() -> None:
    said = courtesy(prompt("Who are you?"), SENTENCES)
    assert said.startswith("I'm the guide of the mill.")


def test_an_empty_sentence_leaves_the_reply_to_the_writer() -> None:
    assert courtesy(prompt("Thanks!"), {"thanks": ""}) == ""
    assert courtesy(prompt("Thanks!"), {}) == ""
    assert courtesy(prompt("When do you open?"), SENTENCES) == ""


def test_what_was_said_last_is_said_again() -> None:
    assert courtesy(prompt("Sorry?", ("Is it open?", "It turns.")), SENTENCES) == "It turns."
    assert courtesy(prompt("Sorry?"), SENTENCES) == SENTENCES["again"]
    # cut off by the person: half a sentence is no answer
    cut = courtesy(prompt("Sorry?", ("Is it open?", "It\u2026")), SENTENCES)
    assert cut == SENTENCES["again"]


def test_of_small_talk_that_says_more_the_known_part_is_answered() -> None:
    assert makeshift(prompt("Thanks, we're off to the mill."), SENTENCES) == SENTENCES["thanks"]
    assert makeshift(prompt("Hello, windmill!"), SENTENCES) == SENTENCES["hello"]
    assert makeshift(prompt("Oh, hello. I didn't see you there."), SENTENCES) == SENTENCES["hello"]
    assert makeshift(prompt("Blah blah."), SENTENCES) == SENTENCES[OTHER]
    assert makeshift(prompt("Blah blah."), {}) == ""
