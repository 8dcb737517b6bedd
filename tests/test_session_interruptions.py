"""Whole talks in which somebody speaks over the agent."""

from __future__ import annotations

import numpy as np
from session_stage import LONG, RATE, UNCHECKED, Phone, talk

from atonce.agent.events import ErrorRaised, FirstAudio, PlaybackResumed, ReplyEnded
from atonce.speech.protocols import Audio


def loudness(phone: Phone, at_s: float) -> float:
    """Of 10 ms, in dB."""
    return 20 * float(np.log10(phone.level(at_s, at_s + 0.01) + 1e-9))


def test_an_interruption_silences_at_once_and_the_very_next_prompt_knows_what_was_heard() -> None:
    done = talk(
        (0.5, "Please tell me everything"),
        (6.0, "wait what does it cost"),
        seconds=16,
        settings=UNCHECKED,
    )
    heard, reply = done.replies
    first = done.phone.of(FirstAudio)[0].at_s
    history = done.asked[-1].history

    assert 6.0 - first > 1.0  # it was in the middle
    assert done.phone.level(6.2, 7.0) < 0.1 * done.phone.level(first, 6.0)
    assert done.phone.of(ReplyEnded)[0].is_cut
    assert LONG.startswith(heard.rstrip("…"))
    assert history[-1].reply.rstrip("…").strip() == heard.rstrip("…").strip()
    assert history[-1].reply.endswith("…")
    assert reply == "It costs eight euros."


def test_the_voice_is_20_db_down_150_ms_after_the_onset_and_back_200_ms_after_a_cough() -> None:
    cough = Audio(np.random.default_rng(0).uniform(-0.3, 0.3, 4000).astype(np.float32), RATE)

    for begins_s in (6.0, 6.1, 6.25, 6.33):
        done = talk(
            (0.5, "Please tell me everything"), (begins_s, cough), seconds=9, settings=UNCHECKED
        )
        before = max(loudness(done.phone, begins_s - 0.3 + n / 100) for n in range(30))
        ducked = [loudness(done.phone, begins_s + 0.14 + n / 100) for n in range(11)]
        resumed = done.phone.of(PlaybackResumed)[0].at_s
        after = max(loudness(done.phone, resumed + n / 100) for n in range(20))

        assert max(ducked) < before - 20
        assert after > before - 3


def test_a_backchannel_pauses_and_the_reply_goes_on_to_its_end() -> None:
    done = talk((0.5, "Please tell me everything"), (6.0, "mhm"), seconds=25, settings=UNCHECKED)

    assert done.replies == [LONG]
    assert "paused" in done.states
    assert done.states[-2:] == ["speaking", "listening"]


def test_a_noise_before_the_first_sound_never_swallows_the_reply() -> None:
    clap = Audio((np.random.default_rng(0).uniform(-0.5, 0.5, 3200)).astype(np.float32), RATE)
    done = talk((0.5, "When do you open"), (2.0, clap), settings=UNCHECKED)

    assert done.replies == ["We open at ten."]


def test_go_on_continues_where_it_was_cut_without_a_word_twice() -> None:
    done = talk(
        (0.5, "Please tell me everything"),
        (6.0, "stop"),
        (9.0, "go on"),
        seconds=30,
        settings=UNCHECKED,
    )
    heard, rest = done.replies[0], done.replies[-1]

    assert heard.rstrip("…").split() + rest.split() == LONG.split()
    last = done.asked[-1]
    assert last.question == "Please tell me everything"
    assert last.history == ()  # what was heard of it stands on the canvas


def test_who_begins_to_speak_in_the_last_moment_of_a_reply_gets_an_answer() -> None:
    alone = talk((0.5, "What does it cost"), settings=UNCHECKED)
    ends_s = alone.phone.of(ReplyEnded)[0].at_s

    for early_s in (0.03, 0.015, 0.005):
        done = talk(
            (0.5, "What does it cost"),
            (ends_s - early_s, "When do you open"),
            seconds=16,
            settings=UNCHECKED,
        )

        assert done.phone.of(ErrorRaised) == []
        assert done.replies == ["It costs eight euros.", "We open at ten."]
