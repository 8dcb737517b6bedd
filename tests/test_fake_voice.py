"""The voice that is no voice: its words are found again, where they are and only there."""

from __future__ import annotations

import numpy as np
import pytest

from atonce.agent.fake_voice import RATE_HZ, SoundBook, spoken, text_of
from atonce.speech.protocols import Audio, Samples

QUESTION = spoken("When do you open on Sunday?")
REPLY = spoken("We open at ten.", voice="agent")


def book() -> SoundBook:
    known = SoundBook()
    known.add(QUESTION)
    known.add(REPLY)
    return known


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE_HZ), dtype=np.float32)


def noise(seconds: float, level: float) -> Samples:
    dice = np.random.default_rng(1)
    return (level * dice.standard_normal(round(seconds * RATE_HZ))).astype(np.float32)


def heard(*pieces: Samples) -> str:
    return text_of(book().find(Audio(np.concatenate(pieces), RATE_HZ)))


def test_words_are_found_in_their_order_and_place() -> None:
    sound = Audio(np.concatenate([silence(0.5), QUESTION.samples, REPLY.samples]), RATE_HZ)
    found = book().find(sound)
    assert text_of(found) == "When do you open on Sunday? We open at ten."
    assert found[0].start_s == pytest.approx(0.5, abs=0.001)
    assert min(word.share for word in found) == 1.0


@pytest.mark.parametrize("late", range(4))
def test_they_are_found_between_two_coarse_samples(late: int) -> None:
    assert heard(silence(0.1), silence(late / RATE_HZ), QUESTION.samples).startswith("When do you")


def test_they_are_found_fainter_and_in_noise() -> None:
    faint = QUESTION.samples / 100
    assert heard(faint) == "When do you open on Sunday?"
    assert heard(QUESTION.samples + noise(QUESTION.seconds, 0.02)) == "When do you open on Sunday?"


def test_words_that_are_drowned_or_cut_off_are_not_found() -> None:
    assert heard(QUESTION.samples + noise(QUESTION.seconds, 0.5)) == ""
    assert heard(QUESTION.samples[: round(0.5 * RATE_HZ)]) == "When do"
    assert heard(noise(2.0, 0.1), silence(1.0)) == ""


def test_a_word_that_is_torn_apart_is_one_word_still() -> None:
    middle = round(0.1 * RATE_HZ)
    assert heard(REPLY.samples[:middle], silence(0.4), REPLY.samples[middle:]) == "We open at ten."


def test_what_is_said_twice_is_found_twice() -> None:
    assert heard(REPLY.samples, silence(0.3), REPLY.samples) == "We open at ten. We open at ten."


def test_a_voice_is_told_from_noise_however_loud() -> None:
    known = book()
    word = QUESTION.samples[:512]
    assert known.is_voice(Audio(word, RATE_HZ), at_s=1.0)
    assert known.is_voice(Audio(word / 50, RATE_HZ), at_s=1.0)
    assert not known.is_voice(Audio(noise(0.032, 0.3), RATE_HZ), at_s=1.0)
    assert not known.is_voice(Audio(silence(0.032), RATE_HZ), at_s=1.0)


def test_a_voice_is_heard_only_while_it_may_be() -> None:
    known = SoundBook()
    known.add(QUESTION, at_s=5.0, until_s=8.0)
    moments = [known.is_voice(Audio(QUESTION.samples[:512], RATE_HZ), at_s=s) for s in (4, 6, 9)]
    assert moments == [False, True, False]
    assert known.find(QUESTION, from_s=9.0) == []
    assert known.find(QUESTION, starts_s=0.0) == []
