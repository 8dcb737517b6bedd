"""What comes from outside the talk: its beginning, words in writing, the button. Pure."""

from __future__ import annotations

from atonce.agent import turn_interruptions as interruptions
from atonce.agent.turn_answers import consider, cry_for_help, may_go_on
from atonce.agent.turn_events import (
    Action,
    ButtonPressed,
    ButtonReleased,
    ClearAsked,
    Forget,
    MuteAsked,
    QuestionAsked,
    SentenceAsked,
    StopAsked,
    TalkStarted,
)
from atonce.agent.turn_situation import Situation
from atonce.agent.turn_words import written


def start(now: Situation, event: TalkStarted) -> list[Action]:
    now.quiet_s = now.lively_s = event.at_s
    return []


def greet(now: Situation, event: TalkStarted) -> list[Action]:
    sentence = now.rules.sentences.get("greeting", "")
    actions = start(now, event)
    return now.voice.say(event.at_s, "greeting", sentence) if sentence else actions


def ask(now: Situation, event: QuestionAsked) -> list[Action]:
    """A question in writing is an utterance that is over and known."""
    if not event.text.strip():
        return []

    now.understood(event.at_s)
    asked = written(event.at_s, event.text.strip())
    now.utterances.append(asked)

    if sentence := now.rules.phrases.emergency(asked.text):
        return cry_for_help(now, event.at_s, asked, sentence)

    if now.voice.is_audible:
        return interruptions.cut(now, event.at_s, None, "command")

    return consider(now, event.at_s)


def queue(now: Situation, event: SentenceAsked) -> list[Action]:
    """It is said once the agent listens."""
    if event.text.strip():
        now.sentences.append(event.text.strip())

    return []


def stop(now: Situation, event: StopAsked | ClearAsked) -> list[Action]:
    """What is said, and what was about to be said, is dropped; who speaks now is still heard."""
    speech = now.voice.speech

    if speech is not None and speech.began_s is not None:
        now.cut_speech = speech if may_go_on(speech) else None

    for one in now.utterances:
        one.is_undecided = False
        one.is_spent = one.is_spent or one.is_over

    now.sentences.clear()
    now.tells_too_long = False
    now.lively_s = event.at_s
    return now.voice.drop("command")


def clear(now: Situation, event: ClearAsked) -> list[Action]:
    """The next person never meets this talk."""
    actions = stop(now, event)
    now.cut_speech = None
    now.lost.clear()

    for one in now.utterances:
        one.is_spent = True

    return [*actions, Forget()]


def mute(now: Situation, event: MuteAsked) -> list[Action]:
    """Who is not heard is not asked whether they are there; heard again, they get their time."""
    now.is_muted = event.is_muted

    if not event.is_muted and now.quiet_s is not None:
        now.quiet_s = event.at_s

    return []


def press(now: Situation, event: ButtonPressed) -> list[Action]:
    """Whoever presses the button is about to speak."""
    now.pressed_s = event.at_s

    if now.voice.is_audible:
        return interruptions.cut(now, event.at_s, None, "button")

    speech = now.voice.speech
    is_on_its_way = speech is not None and speech.released_s is not None
    return now.voice.pause(event.at_s) if is_on_its_way or now.other_sound else []


def let_go(now: Situation, event: ButtonReleased) -> list[Action]:
    now.pressed_s = None
    return consider(now, event.at_s)
