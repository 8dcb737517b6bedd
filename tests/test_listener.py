"""The ears of one stream: sound in, events out; with fakes, and with the real detector."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from atonce.config import models
from atonce.config.errors import EngineError
from atonce.speech import audio_file
from atonce.speech.echo import WebRtcCanceller
from atonce.speech.endpoint import (
    EndpointRules,
    SpeechEnded,
    SpeechStarted,
    TooQuiet,
)
from atonce.speech.fakes import FakeVoiceDetector
from atonce.speech.listener import EarEvent, Listener
from atonce.speech.partials import TranscriptDue
from atonce.speech.protocols import Audio, Samples
from atonce.speech.silero import SileroDetector
from atonce.speech.whisper import WhisperTranscriber

RECORDINGS = Path(__file__).parent / "audio"
RATE_HZ = 16_000


def tone(seconds: float, rate_hz: int = RATE_HZ) -> Samples:
    """Sound that the fake takes for a voice."""
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    return (0.3 * np.sin(2 * np.pi * 300 * times)).astype(np.float32)


def silence(seconds: float, rate_hz: int = RATE_HZ) -> Samples:
    """Nothing."""
    return np.zeros(round(seconds * rate_hz), dtype=np.float32)


def scene(rate_hz: int = RATE_HZ) -> Samples:
    """A voice of 2 s, in the middle."""
    return np.concatenate([silence(1, rate_hz), tone(2, rate_hz), silence(1, rate_hz)])


def streamed(listener: Listener, samples: Samples, rate_hz: int = RATE_HZ) -> list[EarEvent]:
    """All events of a recording, in frames of 20 ms."""
    step = rate_hz // 50
    return [
        event
        for first in range(0, len(samples), step)
        for event in listener.hear(Audio(samples[first : first + step], rate_hz))
    ]


def only(events: list[EarEvent], kind: type[EarEvent]) -> list[EarEvent]:
    """Events of one kind."""
    return [event for event in events if isinstance(event, kind)]


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 48_000])
def test_every_rate_gives_the_same_utterance(rate_hz: int) -> None:
    listener = Listener(FakeVoiceDetector())

    events = streamed(listener, scene(rate_hz), rate_hz)

    (started,) = only(events, SpeechStarted)
    (ended,) = only(events, SpeechEnded)
    assert isinstance(started, SpeechStarted)
    assert isinstance(ended, SpeechEnded)
    assert started.from_s == pytest.approx(0.5, abs=0.07)
    assert ended.speech_end_s == pytest.approx(3.0, abs=0.07)


def test_one_long_piece_gives_the_same_events_as_many_short_ones() -> None:
    at_once = Listener(FakeVoiceDetector()).hear(Audio(scene(), RATE_HZ))

    assert at_once == streamed(Listener(FakeVoiceDetector()), scene())


def test_the_sound_of_a_transcript_is_that_of_the_utterance_with_its_pre_roll() -> None:
    listener = Listener(FakeVoiceDetector())
    samples = np.concatenate([silence(1), tone(2), silence(0.1)])

    events = listener.hear(Audio(samples, RATE_HZ))

    due = only(events, TranscriptDue)[-1]
    assert isinstance(due, TranscriptDue)
    sound = listener.sound(due)
    assert due.is_pause
    first = round(due.from_s * RATE_HZ)
    assert np.array_equal(sound.samples, samples[first : first + len(sound.samples)])
    assert sound.seconds == pytest.approx(0.5 + 2.0 + 0.07, abs=0.07)


def test_no_sample_is_heard_twice_and_none_between_utterances_is_lost() -> None:
    rules = EndpointRules(complete_s=0.1, unsure_s=0.1, incomplete_s=0.1)
    listener = Listener(FakeVoiceDetector(), rules)
    events = streamed(listener, np.concatenate([tone(1), silence(0.3)] * 4))
    spans = [(event.from_s, event.at_s) for event in events if isinstance(event, SpeechEnded)]

    assert len(spans) == 4
    assert all(before[1] == pytest.approx(after[0], abs=0.21) for before, after in pairwise(spans))
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_the_last_transcript_due_before_the_end_covers_all_speech() -> None:
    listener = Listener(FakeVoiceDetector(), EndpointRules(longest_s=3.0))
    events = [*streamed(listener, tone(7)), *listener.close()]
    last: TranscriptDue | None = None
    reasons = []

    for event in events:
        if isinstance(event, TranscriptDue):
            last = event

        if isinstance(event, SpeechEnded):
            assert last is not None
            assert (last.from_s, last.speech_end_s) == (event.from_s, event.speech_end_s)
            reasons.append(event.reason)

    assert reasons == ["longest", "longest", "closed"]


def test_a_whole_question_ends_the_turn_at_once_and_half_a_number_does_not() -> None:
    ends_s = {}

    for text in ("When do you open?", "My number is 5 5 5"):
        listener = Listener(FakeVoiceDetector())
        events = streamed(listener, np.concatenate([tone(1), silence(0.25)]))
        due = only(events, TranscriptDue)[-1]
        assert isinstance(due, TranscriptDue)
        words, said = listener.receive(due, text)
        assert words.text == text
        ended = only([*said, *streamed(listener, silence(2))], SpeechEnded)[0]
        assert isinstance(ended, SpeechEnded)
        ends_s[text] = ended.at_s - ended.speech_end_s

    assert ends_s["When do you open?"] == pytest.approx(0.22, abs=0.04)
    assert ends_s["My number is 5 5 5"] == pytest.approx(1.0, abs=0.04)


def test_a_rule_of_ones_own_may_judge_whether_that_was_all() -> None:
    listener = Listener(FakeVoiceDetector(), judge=lambda text: "complete" if text else "unsure")
    due = only(streamed(listener, np.concatenate([tone(1), silence(0.25)])), TranscriptDue)[-1]
    assert isinstance(due, TranscriptDue)

    assert only(listener.receive(due, "My number is 5 5 5")[1], SpeechEnded)


def test_a_partial_transcript_never_ends_the_turn() -> None:
    listener = Listener(FakeVoiceDetector())
    due = only(streamed(listener, tone(1.5)), TranscriptDue)[0]
    assert isinstance(due, TranscriptDue)

    assert listener.receive(due, "When do you open?")[1] == []


def test_broken_and_clipped_samples_are_counted_and_the_voice_behind_them_is_heard() -> None:
    listener = Listener(FakeVoiceDetector())
    broken = np.full(320, np.nan, dtype=np.float32)
    loud = np.full(320, 4.0, dtype=np.float32)

    for samples in (silence(0), np.ones(1, dtype=np.float32), broken, loud):
        listener.hear(Audio(samples, RATE_HZ))

    assert listener.broken_samples == 320
    assert listener.clipped_samples == 321
    assert only(streamed(listener, scene()), SpeechEnded)
    assert listener.level_db < -100
    assert listener.floor_db < -100


def test_what_is_played_is_taken_out_of_what_is_heard() -> None:
    said = audio_file.read(RECORDINGS / "ast_not_in_service.wav").samples
    played = np.concatenate([said, silence(0.4)] * 3)
    heard = np.concatenate([silence(0.06), 0.3 * played])[: len(played)]
    step = RATE_HZ // 50

    def utterances(listener: Listener, *, is_told: bool) -> list[EarEvent]:
        events: list[EarEvent] = []

        for first in range(0, len(heard), step):
            piece = Audio(played[first : first + step], RATE_HZ) if is_told else None
            events += listener.hear(Audio(heard[first : first + step], RATE_HZ), piece)

        return only(events, SpeechStarted)

    freed = Listener(SileroDetector(), canceller=WebRtcCanceller())
    open_ears = Listener(SileroDetector())

    assert len(utterances(open_ears, is_told=False)) >= 1
    # It needs a second to learn the room.
    assert all(
        isinstance(event, SpeechStarted) and event.at_s < 1.5
        for event in utterances(freed, is_told=True)
    )


def test_what_is_muted_is_not_heard_but_the_room_is_still_learned() -> None:
    class Room:
        """A canceller that notes what it learns from."""

        rate_hz = RATE_HZ
        learned = 0.0

        def cancel(self, heard: Samples, played: Samples) -> Samples:
            self.learned += float(np.abs(heard).sum() * np.abs(played).sum())
            return heard

        def reset(self) -> None:
            """There is nothing to forget."""

    room = Room()
    listener = Listener(FakeVoiceDetector(), canceller=room)
    loud = Audio(np.full(RATE_HZ, 0.3, dtype=np.float32), RATE_HZ)
    listener.is_muted = True

    assert listener.hear(loud, loud) == []
    assert room.learned > 0.0
    assert listener.level_db < -100

    listener.is_muted = False

    assert only(listener.hear(loud, loud), SpeechStarted)


@pytest.mark.parametrize("level_db", [-45, -60])
@pytest.mark.parametrize("name", ["ast_which_folder_q.wav", "lv_amiable.wav"])
def test_a_quiet_voice_is_heard_from_its_beginning(name: str, level_db: float) -> None:
    samples = audio_file.read(RECORDINGS / name).samples
    quiet = samples * np.float32(10 ** (level_db / 20) / np.abs(samples).max())
    room = np.concatenate([silence(1), quiet, silence(1)])
    room += (1e-5 * np.random.default_rng(0).standard_normal(len(room))).astype(np.float32)

    events = streamed(Listener(SileroDetector()), room)
    loud = streamed(Listener(SileroDetector()), np.concatenate([silence(1), samples, silence(1)]))

    first, expected = only(events, SpeechStarted)[0], only(loud, SpeechStarted)[0]
    assert isinstance(first, SpeechStarted)
    assert isinstance(expected, SpeechStarted)
    assert first.from_s == pytest.approx(expected.from_s, abs=0.25)
    assert bool(only(events, TooQuiet)) == (level_db == -60)


@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_sound_in_which_nobody_speaks_gives_no_event(rate_hz: int) -> None:
    times = np.arange(3 * rate_hz) / rate_hz
    random = np.random.default_rng(0)
    rumble = np.cumsum(random.standard_normal(len(times)))
    rumble -= np.convolve(rumble, np.full(500, 1 / 500), mode="same")
    click = np.zeros(len(times))
    click[rate_hz : rate_hz + 20] = 1.0
    sounds = {
        "silence": 0 * times,
        "white noise": 0.01 * random.standard_normal(len(times)),
        "hum": 0.1 * np.sin(2 * np.pi * 50 * times),
        "fan": 0.1 * rumble / np.abs(rumble).max() * (1 + 0.3 * np.sin(2 * np.pi * 13 * times)),
        "click": click,
    }

    for name, sound in sounds.items():
        listener = Listener(SileroDetector())
        assert streamed(listener, sound.astype(np.float32), rate_hz) == [], name
        assert listener.close() == []


@pytest.mark.models
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ast_which_folder_q.wav", "change to which folder"),
        ("ast_check_number.wav", "please check the number and dial again"),
    ],
)
def test_a_recording_that_comes_in_bit_by_bit_is_written_down_as_it_is_spoken(
    name: str, said: str
) -> None:
    models.ensure(["whisper-base"], say=lambda _: None)
    ears = WhisperTranscriber(models.folder("whisper-base"))
    listener = Listener(SileroDetector())
    samples = audio_file.read(RECORDINGS / name).samples
    sound = np.concatenate([silence(0.4), samples, silence(1.2)])
    final, shown = "", []

    for first in range(0, len(sound), 320):
        waiting = listener.hear(Audio(sound[first : first + 320], RATE_HZ))

        while waiting:
            event = waiting.pop(0)

            if isinstance(event, TranscriptDue):
                heard = ears.transcribe(listener.sound(event), is_final=event.is_pause)
                words, more = listener.receive(event, heard.text)
                waiting += more
                shown.append(words.text)

            if isinstance(event, SpeechEnded):
                final = shown[-1]

    assert re.sub(r"[^a-z ]", "", final.lower()) == said
    assert len(shown) > 1


@pytest.mark.models
def test_the_example_of_the_page_about_the_ears_works(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    models.ensure(["whisper-base"], say=lambda _: None)
    root = Path(__file__).parents[1]
    page = (root / "docs" / "ears.md").read_text(encoding="utf-8")
    monkeypatch.chdir(root)

    exec(page.split("```python\n")[1].split("```")[0], {})

    assert "ticket" in capsys.readouterr().out


def test_an_engine_that_fails_costs_no_time_and_is_told_of() -> None:
    class Breaks(FakeVoiceDetector):
        left = 5

        def probability(self, frame: Samples) -> float:
            self.left -= 1

            if self.left >= 0:
                raise EngineError("it broke")

            return super().probability(frame)

    listener = Listener(Breaks())
    events = listener.hear(Audio(np.zeros(16_000, np.float32), 16_000))
    events += listener.hear(Audio(np.full(16_000, 0.3, np.float32), 16_000))

    assert str(listener.fault) == "it broke"
    assert listener.now_s == pytest.approx(2.0, abs=0.04)
    assert [event.voice_s for event in events if isinstance(event, SpeechStarted)] == [
        pytest.approx(1.0, abs=0.04)
    ]
