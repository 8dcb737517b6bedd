"""Words that mean more than they say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from atonce.agent.phrases import (
    Phrases,
    is_other_language,
    is_own_voice,
    is_same,
    words_of,
)
from atonce.config.load import defaults

PHRASES = Phrases.from_settings(defaults().settings)


@pytest.mark.parametrize(
    "text",
    [
        *("Mhm.", "mm-hmm", "Mmmm", "OKAY!", "uh-huh", "Okay, okay.", "Yeah, I see. Right.", "Oh."),
        *("Thank you.", "go on", "all right, got it"),
    ],
)
def test_what_people_say_while_they_listen_is_a_backchannel(text: str) -> None:
    assert PHRASES.is_backchannel(text)
    assert PHRASES.telling_words(text) == 0


@pytest.mark.parametrize(
    "text", ["", "?!", "Okay, but where?", "parking", "I see a bus", "no", "stop"]
)
def test_anything_else_is_none(text: str) -> None:
    assert not PHRASES.is_backchannel(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [("okay how", 1), ("Yeah, how much", 2), ("", 0), ("uh where", 1), ("I see the bus", 2)],
)
def test_telling_words_are_those_that_are_no_backchannel(text: str, words: int) -> None:
    assert PHRASES.telling_words(text) == words


@pytest.mark.parametrize(
    "text",
    [
        *("Stop!", "No, wait.", "please stop", "hold on", "the other one, no", "Okay, stop."),
        *("Nevermind.", "Shutup!"),  # as transcribers write it
    ],
)
def test_a_stop_word_is_found_anywhere(text: str) -> None:
    assert PHRASES.has_stop_word(text)


@pytest.mark.parametrize(
    "text", ["Why?", "Lockers?", "The loom.", "And 15?", "at 5 pm", "Goodbye.", "Pardon?", "Wait"]
)
def test_what_is_likely_of_somebody_who_was_heard_for_a_blink(text: str) -> None:
    assert PHRASES.is_likely(text)


@pytest.mark.parametrize("text", ["Shui.", "Mom.", "Come on.", "M. H. N.", "Amen, ma'am.", ""])
def test_what_a_transcriber_makes_of_a_listeners_sound_is_not(text: str) -> None:
    assert not PHRASES.is_likely(text)


def test_in_a_language_whose_small_words_are_not_known_everything_is_likely() -> None:
    assert replace(PHRASES, language="de").is_likely("Warum?")
    assert Phrases().is_likely("Shui.")


def test_what_is_found_out_while_the_agent_runs_is_likely_too() -> None:
    live = {"wait": {"command": ("true",), "sentence": "The queue takes {value} minutes."}}
    settings = defaults().settings
    agent = type(settings.agent).model_validate({**settings.agent.model_dump(), "live_facts": live})
    phrases = Phrases.from_settings(settings.model_copy(update={"agent": agent}))

    assert phrases.is_likely("The queue?")
    assert not PHRASES.is_likely("The queue?")


@pytest.mark.parametrize("text", ["stopping", "nobody", "I know", "hold the line on", ""])
def test_a_stop_word_is_a_whole_word(text: str) -> None:
    assert not PHRASES.has_stop_word(text)


@pytest.mark.parametrize("text", ["Stop.", "No no, wait!", "Okay, stop please.", "hold on"])
def test_a_stop_word_alone_wants_silence(text: str) -> None:
    assert PHRASES.is_stop(text)


@pytest.mark.parametrize("text", ["Where is the bus stop?", "Okay.", "", "No, for a child."])
def test_a_stop_word_among_others_is_said_for_a_reason(text: str) -> None:
    assert not PHRASES.is_stop(text)


@pytest.mark.parametrize(
    "text",
    ["Bye.", "Okay, thanks, bye bye!", "Good bye", "That’s all, thank you.", "See you later"],
)
def test_a_goodbye_ends_the_talk(text: str) -> None:
    assert PHRASES.is_goodbye(text)


@pytest.mark.parametrize("text", ["How do I say goodbye?", "Thank you.", "Bye the way", ""])
def test_a_goodbye_with_other_words_does_not(text: str) -> None:
    assert not PHRASES.is_goodbye(text)


@pytest.mark.parametrize("text", ["Go on.", "Yes, please continue", "okay, carry on then"])
def test_go_on_is_understood(text: str) -> None:
    assert PHRASES.is_go_on(text)


@pytest.mark.parametrize("text", ["Does the tour go on?", "okay", ""])
def test_go_on_with_other_words_is_not(text: str) -> None:
    assert not PHRASES.is_go_on(text)


def test_emergencies_are_found_among_other_words_in_any_writing() -> None:
    assert "emergency number" in (PHRASES.emergency("HELP! Somebody’s — someone collapsed.") or "")
    assert "exit" in (PHRASES.emergency("I think there's a fire in the hall") or "")
    assert PHRASES.emergency("Where is the fire exit?") is None
    assert PHRASES.emergency("") is None


def test_a_list_may_be_empty() -> None:
    nothing = Phrases((), (), (), ())

    assert not nothing.has_stop_word("stop")
    assert not nothing.is_goodbye("bye")
    assert nothing.is_backchannel("mhm")  # sounds are no words in any language


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How much is a ticket?", "how much is a ticket"),
        ("Uh, where is it?", "Where is it? Mhm."),
        ("mhm", "Mhm."),
    ],
)
def test_marks_capitals_and_sounds_make_no_other_question(one: str, other: str) -> None:
    assert is_same(one, other)


@pytest.mark.parametrize(
    ("one", "other"), [("Are you", "Are you sure"), ("mhm", "um"), ("", "where"), ("mhm", "")]
)
def test_other_words_make_another_question(one: str, other: str) -> None:
    assert not is_same(one, other)


SAID = "The special exhibition is free with the museum ticket. It runs until October 18."


@pytest.mark.parametrize(
    "text",
    [
        "is free with the museum ticket",
        "exhibition is free with museum ticket it runs until",
        "The special exhibition is free with a museum ticket.",
    ],
)
def test_the_own_voice_is_known_by_its_words(text: str) -> None:
    assert is_own_voice(text, SAID)


@pytest.mark.parametrize(
    "text",
    [
        "the museum ticket?",  # few words may be repeated by a person
        "How much is the museum ticket for a child",
        "is free with stop how much is it for children please",
        "",
    ],
)
def test_a_person_is_not_taken_for_the_own_voice(text: str) -> None:
    assert not is_own_voice(text, SAID)


def test_without_anything_said_nothing_is_the_own_voice() -> None:
    assert not is_own_voice("is free with the museum ticket", "")


@pytest.mark.parametrize(
    ("text", "persons"),
    [
        ("is free with the museum ticket", ""),
        ("special exhibition is free width the museum ticket", ""),  # a word misheard
        ("is free with the museum ticket. Stop!", "Stop!"),
        ("free with the museum ticket it runs how much is that", "how much is that"),
        ("exhibition is free stop with the museum ticket", "stop"),
        ("the special exhibition is free with the museum ticket it runs tore", ""),
        ("the museum ticket?", "the museum ticket?"),
        ("How much is a ticket for a child?", "How much is a ticket for a child?"),
        ("", ""),
    ],
)
def test_a_persons_words_are_found_beside_the_own_voice(text: str, persons: str) -> None:
    assert PHRASES.beside_own_voice(text, SAID) == persons
    assert PHRASES.beside_own_voice(text, "") == text


@pytest.mark.parametrize(
    "text",
    [
        "Wo ist bitte die Toilette?",
        "Wie viel kostet eine Karte für Kinder?",
        "Où est la sortie s'il vous plaît ?",
        "¿Dónde está la entrada, por favor?",
        "Quanto costa il biglietto per favore?",
        "Onde está a saída, por favor?",
        "Hoeveel kost een kaartje voor het museum?",
        "Gdzie jest wejście do muzeum?",
        "Где здесь туалет?",
        "トイレはどこですか",
    ],
)
def test_another_language_is_noticed(text: str) -> None:
    assert is_other_language(text, "en")


@pytest.mark.parametrize(
    "text",
    [
        "Where is the loom?",
        "Do you have a café on the first floor?",
        "Is the Mona Lisa here?",
        "Museo?",
        "Die Hard",
        "Okay.",
        "no, me too",
        "What is the name of the hotel in Los Angeles, El Prado?",
        "",
        "Я",
    ],
)
def test_english_with_foreign_names_is_english(text: str) -> None:
    assert not is_other_language(text, "en")


def test_english_is_another_language_where_german_is_spoken() -> None:
    assert is_other_language("Where is the entrance to the museum?", "de")
    assert not is_other_language("Wo ist der Eingang?", "de")


def test_of_a_language_that_is_not_known_nothing_is_said() -> None:
    assert not is_other_language("Где здесь туалет?", "xx")


def test_words_are_compared_without_marks_and_drawn_out_letters() -> None:
    assert words_of("Mmmmm, I’m FINE – mm-hmm!") == ("mm", "i'm", "fine", "mm", "hmm")
