"""Which transcripts are made, in which order, and at which time of the clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from atonce.agent.ears import Ears
from atonce.agent.events import SessionEvent, WordsHeard
from atonce.agent.fakes import Effort, InlineWorker
from atonce.agent.transport import FRAME_S, Frame
from atonce.agent.turn_events import TranscriptHeard
from atonce.agent.virtual_time import run
from atonce.agent.worker import Here, Stage
from atonce.config.errors import EngineError
from atonce.speech.endpoint import SpeechEnded, SpeechEvent, SpeechStarted
from atonce.speech.fakes import FakeVoiceDetector
from atonce.speech.listener import Listener
from atonce.speech.protocols import Audio, Transcript, TranscriptUnwantedError, always

RATE = 16_000
BLOCK = round(FRAME_S * RATE)


class Scribe:
    """Takes its time, and notes what it was asked for."""

    languages = ("en",)

    def __init__(self, effort: Effort, seconds: float) -> None:
        self._effort, self._seconds = effort, seconds
        self.asked: list[tuple[bool, float]] = []
        self.is_broken = False

    def expect(self, names: Sequence[str]) -> None:
        """No names are needed."""

    def transcribe(
        self, audio: Audio, *, is_final: bool = True, is_wanted: Callable[[], bool] = always
    ) -> Transcript:
        if not is_wanted():
            raise TranscriptUnwantedError

        if self.is_broken:
            raise EngineError("it broke")

        self._effort.take(self._seconds)
        self.asked.append((is_final, audio.seconds))
        return Transcript(f"words {len(self.asked)}", is_final=is_final)


@dataclass(slots=True)
class Heard:
    """What came out of the ears."""

    scribe: Scribe
    told: list[SpeechEvent | TranscriptHeard] = field(default_factory=list)
    published: list[SessionEvent] = field(default_factory=list)

    def of(self, kind: type) -> list[object]:
        return [event for event in self.told if isinstance(event, kind)]


def hear(
    *voices: tuple[float, float],
    seconds: float = 6.0,
    takes_s: float = 0.2,
    start_s: float = 100.0,
    said: str = "",
    change: Callable[[Ears, Scribe], None] = lambda *_: None,
) -> Heard:
    """Somebody speaks from one second to another; everything that was told of it."""

    async def main() -> Heard:
        loop = asyncio.get_running_loop()
        effort = Effort()
        heard = Heard(Scribe(effort, takes_s))
        ears = Ears(
            Listener(FakeVoiceDetector()),
            heard.scribe,
            hearing=InlineWorker(stage=Stage.FINAL_TRANSCRIPT, effort=effort),
            listening=Here(),
            clock=lambda: start_s + loop.time(),
            tell=heard.told.append,
            publish=heard.published.append,
            said=lambda _: said,
        )
        change(ears, heard.scribe)

        async def transcribe() -> None:
            while True:
                job = await ears.next_job()

                try:
                    await ears.transcribe(job)
                except EngineError:
                    await ears.give_up(job)

        async with asyncio.TaskGroup() as group:
            task = group.create_task(transcribe())

            for number in range(round(seconds / FRAME_S)):
                now_s = number * FRAME_S
                is_loud = any(begin <= now_s < end for begin, end in voices)
                sound = np.full(BLOCK, 0.3 if is_loud else 0.0, np.float32)
                await asyncio.sleep(FRAME_S)
                at_s = start_s + now_s + FRAME_S
                await ears.hear(Frame(Audio(sound, RATE), None, at_s))

            task.cancel()

        return heard

    return run(main())


def test_one_utterance_has_one_final_transcript_on_the_sessions_clock() -> None:
    heard = hear((1.0, 1.8))
    started, ended = heard.of(SpeechStarted)[0], heard.of(SpeechEnded)[0]
    words = [one for one in heard.of(TranscriptHeard) if one.is_final]

    assert started.voice_s == pytest.approx(101.0, abs=0.04)
    assert ended.speech_end_s == pytest.approx(101.8, abs=0.04)
    assert [(w.utterance, w.text) for w in words] == [(1, "words 2")]
    assert words[0].speech_end_s == pytest.approx(101.8, abs=0.04)
    # Noticed 32 to 64 ms after the end, and then it takes 200 ms.
    assert words[0].at_s == pytest.approx(102.07, abs=0.05)
    assert isinstance(heard.published[0], WordsHeard)


def test_words_over_the_agents_voice_are_looked_for_before_it_is_decided() -> None:
    over, alone = hear((1.0, 1.6), said="the tour begins"), hear((1.0, 1.6))
    words = over.of(TranscriptHeard)[0]

    assert isinstance(words, TranscriptHeard)
    assert not words.is_final
    assert words.at_s == pytest.approx(101.58, abs=0.05)  # 0.35 s of voice, and it takes 0.2 s
    assert [is_final for is_final, _ in alone.scribe.asked] == [True]


def test_a_first_look_that_was_made_is_told_though_the_voice_has_paused_meanwhile() -> None:
    over = hear((1.0, 1.5), said="the tour begins", takes_s=0.3)
    guess, last = over.of(TranscriptHeard)

    assert isinstance(guess, TranscriptHeard)
    assert isinstance(last, TranscriptHeard)
    assert (guess.is_final, last.is_final) == (False, True)
    assert guess.at_s == pytest.approx(101.68, abs=0.05)
    assert guess.speech_end_s < over.of(SpeechEnded)[0].speech_end_s


def test_what_goes_on_behind_okay_is_looked_at_as_soon() -> None:
    over = hear((1.0, 1.3), (1.46, 2.2), said="the tour begins", takes_s=0.1)
    guesses = [words.at_s for words in over.of(TranscriptHeard) if not words.is_final]

    assert guesses[0] == pytest.approx(101.46 + 0.35 + 0.1, abs=0.06)


def test_a_voice_that_ended_before_the_first_look_is_read_once() -> None:
    heard = hear((1.0, 1.3), said="the tour begins")

    assert [is_final for is_final, _ in heard.scribe.asked] == [True]


def test_partial_transcripts_come_while_somebody_speaks_and_never_after_the_last_word() -> None:
    heard = hear((1.0, 4.5))

    assert [is_final for is_final, _ in heard.scribe.asked] == [False, False, False, True]


def test_no_partial_one_is_begun_while_another_is_made() -> None:
    heard = hear((1.0, 4.5), takes_s=1.5)

    assert [is_final for is_final, _ in heard.scribe.asked] == [False, False, True]


def test_partial_ones_can_be_given_up() -> None:
    def change(ears: Ears, _: Scribe) -> None:
        ears.reads_partials = False

    assert [f for f, _ in hear((1.0, 4.5), change=change).scribe.asked] == [True]


def test_a_transcript_of_a_pause_is_unwanted_once_speech_goes_on() -> None:
    heard = hear((1.0, 1.5), (1.8, 2.2), takes_s=0.5)
    words = heard.of(TranscriptHeard)

    assert len(heard.of(SpeechStarted)) == 1
    assert [word.text for word in words] == ["words 2"]  # that of the first pause was not told


def test_a_late_transcript_is_told_of_its_own_utterance() -> None:
    heard = hear((1.0, 1.5), (3.0, 3.4), takes_s=2.5, seconds=10)
    words = heard.of(TranscriptHeard)

    assert [(word.utterance, word.is_final) for word in words] == [(1, True), (2, True)]
    assert words[0].speech_end_s == pytest.approx(101.5, abs=0.04)


def test_a_transcript_that_cannot_be_made_is_told_as_no_words() -> None:
    def change(_: Ears, scribe: Scribe) -> None:
        scribe.is_broken = True

    words = hear((1.0, 1.5), change=change).of(TranscriptHeard)

    assert [(word.text, word.is_final) for word in words] == [("", True)]


def test_muted_ears_hear_nothing() -> None:
    def change(ears: Ears, _: Scribe) -> None:
        ears.listener.is_muted = True

    assert hear((1.0, 2.0), change=change).told == []


def test_words_that_the_agent_said_itself_are_known_as_its_own() -> None:
    own = "these are words 1 and more of them"

    assert not hear((1.0, 1.5), said=own).of(TranscriptHeard)[0].is_own_voice

    def change(_: Ears, scribe: Scribe) -> None:
        scribe.transcribe = lambda *_, **__: Transcript("are words 1 and more")  # type: ignore[method-assign]

    assert hear((1.0, 1.5), said=own, change=change).of(TranscriptHeard)[0].is_own_voice
    assert not hear((1.0, 1.5), change=change).of(TranscriptHeard)[0].is_own_voice


def test_a_button_closes_the_utterance_at_once() -> None:
    async def main() -> list[object]:
        told: list[object] = []
        ears = Ears(
            Listener(FakeVoiceDetector()),
            Scribe(Effort(), 0.1),
            hearing=Here(),
            listening=Here(),
            clock=lambda: 0.0,
            tell=told.append,
            publish=lambda _: None,
            said=lambda _: "",
        )
        sound = Audio(np.full(RATE, 0.3, np.float32), RATE)
        await ears.hear(Frame(sound, None, 1.0))
        await ears.close_utterance()
        await ears.transcribe(await ears.next_job())
        return told

    started, ended, words = run(main())

    assert isinstance(started, SpeechStarted)
    assert isinstance(ended, SpeechEnded)
    assert ended.reason == "closed"
    assert isinstance(words, TranscriptHeard)
    assert words.is_final
