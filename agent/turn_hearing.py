"""What the ears tell of, and what follows from it in each state. Pure."""

from __future__ import annotations

from atonce.agent import turn_interruptions as interruptions
from atonce.agent.turn_answers import cry_for_help
from atonce.agent.turn_events import Action, TranscriptHeard
from atonce.agent.turn_limits import follow
from atonce.agent.turn_situation import Situation
from atonce.agent.turn_words import Utterance
from atonce.speech.endpoint import (
    LoudnessChanged,
    SpeechEnded,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    TooQuiet,
)


def open_utterance(now: Situation, event: SpeechStarted) -> list[Action]:
    """An utterance begins."""
    now.heard += 1

    if now.rules.is_push_to_talk and now.pressed_s is None:
        return []

    for one in now.utterances:
        if not one.is_over:  # its end got lost
            one.end(event.at_s, event.voice_s)

    now.utterances.append(
        Utterance(now.heard, event.at_s, event.voice_s, event.voice_s, event.voice_s, event.at_s)
    )
    return []


def hold(now: Situation, event: SpeechStarted) -> list[Action]:
    """Speech before the first sound: what was released, or sounds besides, is ducked."""
    actions, speech = open_utterance(now, event), now.voice.speech
    is_on_its_way = speech is not None and speech.released_s is not None and not speech.is_due
    is_heard = now.is_speech_on and (is_on_its_way or bool(now.other_sound))
    return actions + now.voice.pause(event.at_s) if is_heard else actions


def duck(now: Situation, event: SpeechStarted) -> list[Action]:
    """Speech over the agent's voice."""
    actions, heard = open_utterance(now, event), now.sounding

    if heard is None:
        return actions

    heard.is_over_voice = True
    return actions + interruptions.duck(now, event.at_s, heard)


def pause(now: Situation, event: SpeechPaused) -> list[Action]:
    heard = now.sounding

    if heard is None:
        return []

    heard.pause(event.speech_end_s)
    return follow(now, event.at_s, heard)


def resume(now: Situation, event: SpeechResumed) -> list[Action]:
    heard = now.sounding

    if heard is not None:
        heard.resume(event.at_s)

    return []


def burst(now: Situation, event: SpeechResumed) -> list[Action]:
    """Speech goes on over the agent's voice: one that was decided is judged anew."""
    heard = now.sounding

    if heard is None:
        return []

    heard.resume(event.at_s)

    if not heard.is_undecided:
        heard.onset_s, heard.spoken_s = event.at_s, 0.0

    return interruptions.duck(now, event.at_s, heard)


def fade_early(now: Situation, event: LoudnessChanged) -> list[Action]:
    """Noted, for the agent may be audible a moment later."""
    if now.sounding is not None:
        now.sounding.is_faded = not event.is_loud

    return []


def fade(now: Situation, event: LoudnessChanged) -> list[Action]:
    """Over the agent's voice, one that is back after its time was up is an interruption."""
    fade_early(now, event)
    heard = now.sounding
    return [] if heard is None else follow(now, event.at_s, heard)


def close(now: Situation, event: SpeechEnded) -> list[Action]:
    heard = now.sounding

    if heard is None:
        return []

    heard.end(event.at_s, event.speech_end_s)
    heard.is_due = heard.is_cut_off = event.reason == "longest"
    return follow(now, event.at_s, heard)


def note_faint(now: Situation, event: TooQuiet) -> list[Action]:
    del event

    if now.sounding is not None:
        now.sounding.is_quiet = True

    return []


def read(now: Situation, event: TranscriptHeard) -> list[Action]:
    """Words of an utterance, before or while something is audible."""
    heard = now.find(event.utterance)

    if heard is None:
        return []

    heard.hear(event)

    if event.is_own_voice:
        now.echo_s = event.at_s

    if heard.text:
        now.understood(event.at_s)

    if sentence := now.rules.phrases.emergency(heard.text):
        return cry_for_help(now, event.at_s, heard, sentence)

    return follow(now, event.at_s, heard)


def read_late(now: Situation, event: TranscriptHeard) -> list[Action]:
    """Words while nothing is audible: a transcript that was given up may come after all."""
    if event.utterance in now.lost and event.is_final:
        now.lost.remove(event.utterance)
        end_s = event.speech_end_s
        late = Utterance(event.utterance, end_s, end_s, end_s, None, end_s, ended_s=end_s)
        now.utterances.insert(0, late)

    return read(now, event)
