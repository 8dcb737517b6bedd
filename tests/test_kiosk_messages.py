"""What a kiosk publishes, what it obeys, and when it forgets: the parts that decide."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest

from atonce.agent import mqtt_commands, mqtt_messages
from atonce.agent.events import (
    ErrorRaised,
    FirstAudio,
    ReplyEnded,
    ReplyStarted,
    SentenceSaid,
    SessionEvent,
    StateChanged,
    WordsHeard,
)
from atonce.agent.kiosk_calm import Calm
from atonce.agent.kiosk_news import KioskNews, unquoted
from atonce.agent.kiosk_quiet import Hush
from atonce.agent.mqtt_commands import Commands, Mute, Refused, Say, Volume
from atonce.agent.mqtt_messages import Message, Presences, Topics
from atonce.agent.mqtt_schemas import chapter, schema

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
SOON = "2026-11-26T12:00:30Z"
PAGE = (Path(__file__).parent.parent / "docs" / "mqtt.md").read_text(encoding="utf-8")
SCHEMAS: dict[str, Any] = {
    schema["title"]: schema
    for schema in map(json.loads, re.findall(r"```json\n(.*?)```", PAGE, re.S))
    if "title" in schema
}
ALL = tuple(mqtt_commands.MODELS)
BODIES: dict[str, dict[str, object]] = {
    "ask": {"text": "When do you open?"},
    "say": {"text": "We close in ten minutes."},
    "stop": {},
    "mute": {"is_muted": True},
    "volume": {"volume": 60},
}


def judge(
    name: str,
    message: object,
    *,
    obeyed: tuple[Any, ...] = ALL,
    commands: Commands | None = None,
    is_retained: bool = False,
    now: datetime = NOW,
) -> Any:
    """What becomes of a message, which is bytes or what becomes JSON."""
    if commands is None:
        commands = Commands(obeyed)
        commands.is_ready = True

    payload = message if isinstance(message, bytes) else json.dumps(message).encode()
    return commands.read(name, payload, is_retained=is_retained, now=now)


def good(name: str, number: int = 1) -> dict[str, object]:
    return {"id": f"test-{number}", "expires_at": SOON, **BODIES[name]}


def test_the_schemas_of_the_page_are_those_of_the_program() -> None:
    assert chapter() in PAGE, "run: .venv/bin/python scripts/document_mqtt"
    models = {**mqtt_messages.MODELS, **mqtt_commands.MODELS}
    assert {name: schema(model) for name, model in models.items()} == {
        name: SCHEMAS[name.title()] for name in models
    }


@pytest.mark.parametrize("name", ALL)
def test_a_command_in_good_form_is_done_and_fits_its_schema(name: str) -> None:
    fastjsonschema.validate(SCHEMAS[name.title()], good(name))
    done = judge(name, good(name))
    assert type(done) is mqtt_commands.MODELS[name]
    assert done.id == "test-1"


@pytest.mark.parametrize("name", ALL)
def test_a_command_that_is_not_listed_is_refused(name: str) -> None:
    others = tuple(other for other in ALL if other != name)
    refused = judge(name, good(name), obeyed=others)
    assert (refused.error, refused.id, refused.command) == ("off", "test-1", name)
    assert "kiosk.commands" in refused.message


def test_by_default_no_command_is_obeyed_and_no_word_is_published() -> None:
    from atonce.config.load import defaults

    kiosk = defaults().settings.kiosk
    assert kiosk.commands == ()
    assert not kiosk.publish_transcripts


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\xff\xfe",
        b"stop",
        b"[1, 2]",
        b"null",
        b"[" * 3000,
        {"id": "a", "expires_at": SOON, "text": "Hello.", "more": 1},
        {"id": "a", "expires_at": SOON},
        {"id": "a", "text": "Hello."},
        {"expires_at": SOON, "text": "Hello."},
        {"id": "", "expires_at": SOON, "text": "Hello."},
        {"id": "a b", "expires_at": SOON, "text": "Hello."},
        {"id": 7, "expires_at": SOON, "text": "Hello."},
        {"id": "a" * 65, "expires_at": SOON, "text": "Hello."},
        {"id": "a", "expires_at": 1795694430, "text": "Hello."},
        {"id": "a", "expires_at": "1795694430", "text": "Hello."},
        {"id": "a", "expires_at": "2026-11-26T12:00:30", "text": "Hello."},
        {"id": "a", "expires_at": "tomorrow", "text": "Hello."},
        {"id": "a", "expires_at": SOON, "text": ""},
        {"id": "a", "expires_at": SOON, "text": "  "},
        {"id": "a", "expires_at": SOON, "text": "one\ntwo"},
        {"id": "a", "expires_at": SOON, "text": "a" * 501},
        {"id": "a", "expires_at": SOON, "text": ["Hello."]},
    ],
)
def test_a_malformed_command_is_refused_in_one_sentence_that_repeats_nothing_of_it(
    message: object,
) -> None:
    refused = judge("say", message)
    assert isinstance(refused, Refused)
    assert refused.error == "malformed"
    assert "wanted is for example {" in refused.message
    assert "Hello" not in refused.message
    assert "\n" not in refused.message
    assert len(refused.message) < 250

    if isinstance(message, dict):
        with pytest.raises(fastjsonschema.JsonSchemaException):
            fastjsonschema.validate(_with_zone(SCHEMAS["Say"]), message)


def _with_zone(schema: Any) -> Any:
    """fastjsonschema takes a time of day without a zone for a date-time; RFC 3339 does not."""
    zoned = json.loads(json.dumps(schema))
    zoned["properties"]["expires_at"]["pattern"] = r"(Z|[+-]\d\d:\d\d)$"
    return zoned


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("mute", {"is_muted": "true"}),
        ("mute", {"is_muted": 1}),
        ("volume", {"volume": 101}),
        ("volume", {"volume": -1}),
        ("volume", {"volume": "60"}),
        ("volume", {"volume": 0.5}),
        ("stop", {"text": "now"}),
    ],
)
def test_a_value_of_the_wrong_type_or_range_is_refused(name: str, body: dict[str, object]) -> None:
    message = {"id": "a", "expires_at": SOON, **body}
    refused = judge(name, message)
    assert (refused.error, refused.id) == ("malformed", "a")

    with pytest.raises(fastjsonschema.JsonSchemaException):
        fastjsonschema.validate(SCHEMAS[name.title()], message)


def test_a_message_that_is_too_large_is_refused_unread() -> None:
    assert judge("say", b"{" + b" " * 5000).error == "too_large"


def test_an_unknown_command_is_told_which_there_are() -> None:
    refused = judge("reboot", good("stop"))
    assert (refused.error, refused.command) == ("unknown", "reboot")
    assert "ask, say, stop, mute, volume" in refused.message


def test_a_retained_command_is_refused() -> None:
    assert judge("say", good("say"), is_retained=True).error == "retained"


def test_a_repeated_id_is_refused_whatever_the_command_until_it_has_expired() -> None:
    commands = Commands(ALL)
    commands.is_ready = True
    assert isinstance(judge("say", good("say"), commands=commands), Say)
    assert judge("say", good("say"), commands=commands).error == "repeated"
    assert judge("stop", good("stop"), commands=commands).error == "repeated"
    later = NOW + timedelta(seconds=40)
    assert judge("say", good("say"), commands=commands, now=later).error == "expired"
    fresh = {**good("say"), "expires_at": "2026-11-26T12:10:00Z"}
    assert isinstance(judge("say", fresh, commands=commands, now=later), Say)


def test_a_command_that_was_refused_may_be_sent_again_under_its_id() -> None:
    commands = Commands(ALL)
    assert judge("say", good("say"), commands=commands).error == "not_ready"
    commands.is_ready = True
    assert isinstance(judge("say", good("say"), commands=commands), Say)


def test_a_command_that_expired_or_expires_too_far_ahead_is_refused() -> None:
    expired = {**good("say"), "expires_at": "2026-11-26T13:59:59+02:00"}
    assert judge("say", expired).error == "expired"
    far = {**good("say"), "expires_at": "2026-11-26T13:00:01Z"}
    assert judge("say", far).error == "too_far_ahead"


def test_a_loop_that_floods_the_kiosk_is_stopped_and_what_is_remembered_stays_bounded() -> None:
    commands = Commands(ALL)
    commands.is_ready = True
    said = [judge("say", good("say", number), commands=commands) for number in range(100)]
    assert sum(isinstance(one, Say) for one in said) == 20
    assert said[-1].error == "too_many"
    later = NOW + timedelta(seconds=11)
    assert isinstance(judge("say", good("say", 101), commands=commands, now=later), Say)


def test_numbers_and_switches_arrive_as_they_were_sent() -> None:
    muted, volume = judge("mute", good("mute")), judge("volume", good("volume"))
    assert isinstance(muted, Mute)
    assert isinstance(volume, Volume)
    assert (muted.is_muted, volume.volume) == (True, 60)


# ---- what is published ----


def published(*events: SessionEvent, with_words: bool) -> list[tuple[str, Any]]:
    """Each message as (last level of its topic, content), checked against the page's schema."""
    news = KioskNews(Topics("museum/one"), now=lambda: NOW, with_words=with_words)
    messages = [message for event in events for message in news.receive(event)]
    return [checked(message) for message in messages]


def checked(message: Message) -> tuple[str, Any]:
    name = message.topic.removeprefix("museum/one/")
    content = json.loads(message.payload)
    fastjsonschema.validate(SCHEMAS[name.title()], content)
    assert message.is_retained == (name in ("status", "state"))
    return name, content


TURN: tuple[SessionEvent, ...] = (
    StateChanged(1.0, "hearing"),
    WordsHeard(1.5, "How much is", 1),
    WordsHeard(2.0, "How much is a ticket?", 5, is_final=True),
    StateChanged(2.1, "thinking"),
    ReplyStarted(2.1, 1, "How much is a ticket?"),
    StateChanged(3.0, "speaking"),
    FirstAudio(3.0, 1),
    ReplyEnded(5.0, "A ticket costs", True, 1),
    StateChanged(5.1, "listening"),
)


def test_without_being_asked_for_no_word_of_a_talk_is_published() -> None:
    told = published(*TURN, with_words=False)
    states = [content["state"] for _, content in told]
    assert {name for name, _ in told} == {"state"}
    assert states == ["hearing", "thinking", "speaking", "listening"]
    assert "ticket" not in json.dumps(told)


def test_where_it_is_asked_for_question_and_reply_are_published_once_as_they_were_heard() -> None:
    told = published(*TURN, with_words=True)
    words = [(name, content["text"]) for name, content in told if name != "state"]
    assert words == [("transcript", "How much is a ticket?"), ("reply", "A ticket costs")]
    assert next(content for name, content in told if name == "reply")["is_cut"]


@pytest.mark.parametrize("quoted", ["'I am Ann, call 555'", '"It\'s Ann"', "'Ann said \"no\"'"])
def test_a_fault_is_published_and_logged_without_the_words_it_quotes(quoted: str) -> None:
    fault = f"the synthesizer gave no sound for {quoted}; choose another voice"
    ((name, content),) = published(ErrorRaised(1.0, fault), with_words=True)
    assert name == "error"
    assert content["message"] == "the synthesizer gave no sound for …; choose another voice"
    assert content["error"] == "trouble"

    try:
        raise ValueError(fault)
    except ValueError as error:
        info = (type(error), error, error.__traceback__)

    record = logging.LogRecord("a", logging.ERROR, "b", 1, "%s", (fault,), info)
    assert Hush().filter(record)
    written = logging.Formatter("%(message)s").format(record)
    assert "Ann" not in written
    assert "test_kiosk_messages.py" in written
    assert written.endswith("ValueError")


def test_an_apostrophe_is_no_quotation_mark() -> None:
    assert unquoted("it doesn't fit, and can't") == "it doesn't fit, and can't"


def test_the_status_says_what_can_be_asked_and_the_will_has_no_time() -> None:
    presences = Presences(Topics("museum/one"), "0.1.0", ("say",), is_publishing_transcripts=False)
    _, content = checked(presences.of("online", "ready", NOW))
    assert content == {
        "at": "2026-11-26T12:00:00Z",
        "status": "online",
        "reason": "ready",
        "version": "0.1.0",
        "commands": ["say"],
        "is_publishing_transcripts": False,
    }
    _, will = checked(presences.of("offline", "the connection was lost", None))
    assert (will["at"], will["status"]) == (None, "offline")


def test_a_refusal_names_the_command_and_its_id() -> None:
    news = KioskNews(Topics("museum/one"), now=lambda: NOW, with_words=False)
    name, content = checked(news.refusal(judge("say", good("say"), is_retained=True)))
    assert name == "error"
    assert (content["error"], content["command"], content["id"]) == ("retained", "say", "test-1")


# ---- when the talk is forgotten ----


def test_a_talk_is_forgotten_after_silence_since_its_last_word() -> None:
    calm = Calm(60.0)
    assert calm.due_s is None  # nobody was there

    for event in TURN:
        calm.receive(event)

    assert calm.due_s == 65.0
    calm.settle()
    assert calm.due_s is None


def test_nothing_is_forgotten_while_somebody_speaks() -> None:
    calm = Calm(60.0)

    for event in TURN[:-1]:
        calm.receive(event)
        assert calm.due_s is None or event.at_s < 1.1


def test_noise_and_the_question_whether_somebody_is_there_do_not_keep_a_talk() -> None:
    calm = Calm(60.0)
    silence: tuple[SessionEvent, ...] = (
        StateChanged(20.0, "hearing"),
        WordsHeard(20.5, " ", 0, is_final=True),
        StateChanged(21.0, "listening"),
        StateChanged(25.0, "speaking"),
        SentenceSaid(25.0, "silence", "Are you still there?"),
        FirstAudio(25.0, 2),
        ReplyEnded(26.0, "Are you still there?", False, 2),
        StateChanged(26.0, "listening"),
    )

    for event in (*TURN, *silence):
        calm.receive(event)

    assert calm.due_s == 65.0
