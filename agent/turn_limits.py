"""The time limits of a talk: when the next one is, and what happens then. Pure.

Rule 1. Every state but listening has a limit. Past it something has failed: that is reported as a
        fault, and the talk goes on without what was awaited.
Rule 2. What happens at a limit takes it away or moves it on: none comes twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from atonce.agent import turn_interruptions as interruptions
from atonce.agent.turn_answers import consider, end, failed, may_go_on
from atonce.agent.turn_events import Action, TimePassed
from atonce.agent.turn_rules import EPSILON_S
from atonce.agent.turn_situation import Situation
from atonce.agent.turn_voice import Speech
from atonce.agent.turn_words import Utterance

_MOST_AT_ONCE = 32
"""Limits that pass in one moment, after a long sleep of the machine; it takes a few. Where there
were more, the next moment has them."""


class Limit(NamedTuple):
    """A moment, and what happens then."""

    at_s: float
    """Seconds on the session's clock."""
    act: Callable[[float], list[Action]]
    """Told the time it is."""


def due_s(now: Situation) -> float | None:
    """When the next limit is; None: whatever comes next comes by itself."""
    return min((limit.at_s for limit in _limits(now)), default=None)


def pass_on(now: Situation, event: TimePassed) -> list[Action]:
    """What is due by now."""
    actions: list[Action] = []

    for _ in range(_MOST_AT_ONCE):
        passed = [limit for limit in _limits(now) if limit.at_s <= event.at_s + EPSILON_S]

        if not passed:
            break

        actions += min(passed, key=lambda limit: limit.at_s).act(event.at_s)

    return actions


def _limits(now: Situation) -> Iterator[Limit]:
    rules = now.rules

    for heard in now.utterances:
        yield from _of_utterance(now, heard)

    if now.pressed_s is not None:
        yield Limit(now.pressed_s + rules.button_s, lambda at_s: _let_go(now, at_s))

    if now.voice.speech is not None:
        yield from _of_speech(now, now.voice.speech)

    if now.state == "listening" and not now.has_ended:
        yield from _of_silence(now)


def _of_utterance(now: Situation, heard: Utterance) -> Iterator[Limit]:
    if heard.is_undecided:
        decided_s = interruptions.decided_s(now, heard)
        yield Limit(decided_s, lambda at_s: interruptions.judge(now, at_s, heard))

    if heard.ended_s is None:
        limit_s = heard.started_s + now.rules.hearing_s
        yield Limit(limit_s, lambda at_s: _close(now, at_s, heard))
    elif not heard.is_known and not heard.is_spent:
        limit_s = heard.ended_s + now.rules.transcript_s
        yield Limit(limit_s, lambda at_s: _read_as_guessed(now, at_s, heard))


def _of_speech(now: Situation, speech: Speech) -> Iterator[Limit]:
    rules = now.rules

    if speech.began_s is not None:
        limit_s, what = speech.began_s + rules.speaking_s, "the voice did not end"
        yield Limit(limit_s, lambda at_s: _give_up(now, at_s, speech, what))
    elif speech.released_s is not None and not now.voice.is_paused:
        limit_s, silent = speech.released_s + rules.begin_s, "a released reply is not audible"
        yield Limit(limit_s, lambda at_s: _give_up(now, at_s, speech, silent))
    elif not speech.is_ready and not now.is_speech_on:
        # Of those alone that stay: one that is over and done is dropped, and its end with it.
        ends_s = (heard.ended_s or 0.0 for heard in now.open_utterances)
        limit_s = max([speech.began_writing_s, *ends_s]) + rules.thinking_s
        yield Limit(limit_s, lambda at_s: _apologise(now, at_s, speech))


def _of_silence(now: Situation) -> Iterator[Limit]:
    rules, quiet_s, lively_s = now.rules, now.quiet_s, now.lively_s

    if quiet_s is None or lively_s is None:
        return

    prompt = rules.sentences.get("silence", "")

    if rules.silence_s and prompt and not now.has_prompted and not now.is_muted:
        yield Limit(quiet_s + rules.silence_s, lambda at_s: _prompt(now, at_s))

    if rules.end_after_s:
        yield Limit(lively_s + rules.end_after_s, lambda _: end(now, "silence"))


def _close(now: Situation, at_s: float, heard: Utterance) -> list[Action]:
    actions = now.report("the ears did not close an utterance", is_fault=True)
    heard.end(at_s, at_s)
    return actions + follow(now, at_s, heard)


def _read_as_guessed(now: Situation, at_s: float, heard: Utterance) -> list[Action]:
    actions = now.report("a transcript did not come", is_fault=True)
    heard.is_known = True

    if not heard.text:
        now.lost.append(heard.number)

    return actions + follow(now, at_s, heard)


def _let_go(now: Situation, at_s: float) -> list[Action]:
    actions = now.report("the button was held for too long", is_fault=True)
    now.pressed_s = None
    return actions + consider(now, at_s)


def _give_up(now: Situation, at_s: float, speech: Speech, what: str) -> list[Action]:
    actions = now.report(what, is_fault=True)
    now.cut_speech = speech if may_go_on(speech) else None

    for one in speech.utterances:
        one.is_spent = True

    for one in now.utterances:
        one.is_undecided = False

    actions += now.voice.drop("stuck")
    return actions + (end(now, "goodbye") if speech.kind == "goodbye" else consider(now, at_s))


def _apologise(now: Situation, at_s: float, speech: Speech) -> list[Action]:
    actions = now.report("a reply did not come", is_fault=True)
    return actions + now.voice.drop("stuck") + failed(now, at_s, speech)


def _prompt(now: Situation, at_s: float) -> list[Action]:
    now.has_prompted = True
    return now.voice.say(at_s, "silence", now.rules.sentences["silence"])


def follow(now: Situation, at_s: float, heard: Utterance) -> list[Action]:
    """More is known of an utterance."""
    if now.voice.is_audible:
        return interruptions.judge(now, at_s, heard)

    return consider(now, at_s)
