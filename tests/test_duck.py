"""A hint of a voice over the agent's."""

import numpy as np

from atonce.agent.duck import MOST_VAIN, Duck
from atonce.agent.playback import Playback
from atonce.speech.protocols import Audio

BLOCK = 320


def sounding() -> Playback:
    """Ten seconds of sound, of which the first block was heard."""
    playback = Playback(16_000)
    playback.put(Audio(np.full(160_000, 0.5, np.float32), 16_000))
    playback.take(BLOCK, 0.0)
    return playback


def is_audible(playback: Playback) -> bool:
    """After every fade."""
    playback.take(2 * BLOCK, 0.0)
    return bool(playback.take(BLOCK, 0.0).all())


def test_a_hint_silences_and_its_end_lets_the_voice_go_on() -> None:
    playback = sounding()
    duck = Duck(playback)
    duck.follow("speaking", hint_s=0.03)
    assert not is_audible(playback)

    duck.follow("speaking", hint_s=0.06)
    assert not is_audible(playback)

    duck.follow("speaking", hint_s=0.0)
    assert is_audible(playback)


def test_what_the_turn_has_paused_only_the_turn_resumes() -> None:
    playback = sounding()
    duck = Duck(playback)
    duck.follow("speaking", hint_s=0.06)
    playback.pause()  # the turn: it is speech
    duck.follow("paused", hint_s=0.0, is_paused=True)
    duck.follow("hearing", hint_s=0.0, is_paused=True)

    assert not is_audible(playback)


def test_a_voice_that_was_down_when_its_reply_ended_is_heard_again_in_the_next_one() -> None:
    playback = sounding()
    duck = Duck(playback)
    duck.follow("speaking", hint_s=0.06)
    duck.follow("listening", hint_s=0.08)  # the last sample was heard
    duck.follow("hearing", hint_s=0.0)

    assert is_audible(playback)


def test_speech_that_the_turn_ignores_does_not_keep_the_voice_down() -> None:
    playback = sounding()
    duck = Duck(playback)
    duck.follow("speaking", hint_s=0.06)
    duck.follow("speaking", hint_s=0.0)  # it is speech now, and the turn speaks on

    assert is_audible(playback)


def test_a_rattling_room_is_ignored_for_the_rest_of_the_reply() -> None:
    playback = sounding()
    duck = Duck(playback)

    for _ in range(MOST_VAIN):
        duck.follow("speaking", hint_s=0.03)
        duck.follow("speaking", hint_s=0.0)

    duck.follow("speaking", hint_s=0.03)
    assert is_audible(playback)

    duck.follow("listening", hint_s=0.0)  # the next reply
    duck.follow("speaking", hint_s=0.03)
    assert not is_audible(playback)


def test_nothing_happens_while_the_agent_is_silent() -> None:
    playback = sounding()
    Duck(playback).follow("hearing", hint_s=0.03)

    assert is_audible(playback)
