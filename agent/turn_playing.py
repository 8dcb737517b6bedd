"""How a reply becomes audible, and what follows from it. Pure."""

from __future__ import annotations

from atonce.agent import turn_interruptions as interruptions
from atonce.agent.events import PlaybackBegan, PlaybackEnded
from atonce.agent.turn_answers import consider, end, failed, over
from atonce.agent.turn_events import Action, ReplyFailed, ReplyReady
from atonce.agent.turn_situation import Situation
from atonce.agent.turn_voice import Speech


def ready(now: Situation, event: ReplyReady) -> list[Action]:
    speech = now.voice.speech

    if speech is None or speech.number != event.reply:
        return []

    speech.is_ready = True
    return consider(now, event.at_s)


def fail(now: Situation, event: ReplyFailed) -> list[Action]:
    speech = now.voice.speech

    if speech is None or speech.number != event.reply:
        return []

    if speech.is_ready:  # what there is of it is heard
        speech.has_failed = True
        return []

    now.voice.speech = None
    return (over if event.is_over else failed)(now, event.at_s, speech)


def begin(now: Situation, event: PlaybackBegan) -> list[Action]:
    """Something is audible: what it answers is answered."""
    speech = now.voice.speech

    if speech is None or event.tag != str(speech.number):
        now.other_sound = event.tag
        return []

    speech.began_s = event.at_s

    for one in speech.utterances:
        one.is_spent = True

    if speech.asked and not speech.continues:
        now.cut_speech = None

    for one in now.open_utterances:
        one.is_undecided = now.voice.is_paused

    return interruptions.go_on_speaking(now)


def finish(now: Situation, event: PlaybackEnded) -> list[Action]:
    """The whole of it was heard."""
    speech = now.voice.speech

    if speech is None or event.tag != str(speech.number):
        return other_ended(now, event)

    now.voice.speech = None
    now.continued = 0

    if speech.kind != "silence":
        now.lively_s = event.at_s

    if speech.continues:
        now.cut_speech = None

    if speech.kind == "goodbye":
        return end(now, "goodbye")

    interruptions.end_of_voice(now, event.at_s)
    actions = now.voice.resume() + consider(now, event.at_s)
    return actions + _add(now, event.at_s, speech)


def _add(now: Situation, at_s: float, speech: Speech) -> list[Action]:
    """What is to be said behind a reply, if nobody speaks and nothing else is due."""
    is_told, now.tells_too_long = now.tells_too_long, False

    if now.voice.speech is not None or now.open_utterances:
        return []

    if speech.has_failed:
        return failed(now, at_s, speech)

    sentence = now.rules.sentences.get("too_long", "")
    return now.voice.say(at_s, "too_long", sentence) if is_told and sentence else []


def other_ended(now: Situation, event: PlaybackEnded) -> list[Action]:
    """What sounded besides replies, or what was stopped."""
    if event.tag == now.other_sound:
        now.other_sound = ""

    return []
