"""The microphone on a real sound system: PulseAudio with a card that is not there."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from atonce.agent import virtual_card
from atonce.agent.devices import find, listing
from atonce.agent.events import ErrorRaised, SessionEvent
from atonce.agent.microphone import Microphone
from atonce.agent.portaudio import PortAudio
from atonce.agent.transport import Frame
from atonce.agent.virtual_card import LOUDSPEAKER, MICROPHONE, VirtualCard
from atonce.config import registry
from atonce.config.load import defaults
from atonce.speech import audio_file
from atonce.speech.protocols import Audio, Samples
from atonce.speech.resample import resample

pytestmark = pytest.mark.skipif(
    not virtual_card.is_available(), reason="needs PulseAudio: apt-get install pulseaudio"
)
LONGEST_S = 180.0
"""Nothing takes as long, not even a first start, which converts the models before it loads them."""
QUESTION = Path(__file__).parent.parent / "examples" / "question.wav"


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VirtualCard]:
    """A card of its own, that every program started from here finds."""
    card = VirtualCard(tmp_path)
    for name, value in card.environment.items():
        monkeypatch.setenv(name, value)

    with card:
        yield card


@pytest.mark.usefixtures("card")
def test_devices_are_listed_by_name_with_the_systems_own_marked() -> None:
    system = PortAudio()
    devices = system.devices()
    microphone = find(devices, "", is_input=True)
    assert (microphone.name, microphone.ident) == (MICROPHONE, MICROPHONE)
    assert find(devices, "loudspeaker", is_input=False).rate_hz == 48_000
    assert f"* {LOUDSPEAKER}" in listing(devices)
    assert "monitor" not in listing(devices)
    assert system.watched() == [device for device in devices if device.host == "PulseAudio"]


@pytest.mark.parametrize(("rate_hz", "channels"), [(48_000, 2), (44_100, 2), (16_000, 1)])
def test_what_is_said_and_played_comes_through_whole_at_every_rate(
    rate_hz: int, channels: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = VirtualCard(tmp_path, rate_hz=rate_hz, channels=channels)
    for name, value in card.environment.items():
        monkeypatch.setenv(name, value)

    # A machine that is busy with other things may lose a piece: that is its fault, not ours.
    with card:
        assert any(min(_through(card, rate_hz)) >= 0.75 for _ in range(3))


def _through(card: VirtualCard, rate_hz: int) -> tuple[float, float]:
    """How like the voice is what was heard, and what was played."""
    voice = audio_file.read(QUESTION)
    frames: list[Frame] = []

    async def talk() -> None:
        async with _microphone([]) as microphone:
            assert microphone.playback.rate_hz == rate_hz
            microphone.playback.put(voice)
            microphone.playback.finish()
            said = card.speak(QUESTION)
            async for frame in microphone.listen():
                frames.append(frame)
                if len(frames) > 200 or (said.poll() is not None and len(frames) > 150):
                    break

            said.wait()

    with card.recorder() as recording:
        asyncio.run(talk())
        time.sleep(0.2)
        played = recording.played

    heard = np.concatenate([frame.heard.samples for frame in frames])
    assert {frame.heard.rate_hz for frame in frames} == {rate_hz}
    return (
        _likeness(resample(Audio(heard, rate_hz), 16_000).samples, voice),
        _likeness(played.samples, voice),
    )


def test_a_microphone_that_is_unplugged_is_missed_said_and_found_again(card: VirtualCard) -> None:
    told: list[SessionEvent] = []
    times = asyncio.run(
        _with_trouble(
            told,
            [lambda: card.unplug(MICROPHONE), lambda: card.plug(MICROPHONE)],
            microphone=MICROPHONE,
        )
    )
    gone, back = _texts(told)
    assert gone.startswith(f"The microphone {MICROPHONE} is gone (was it unplugged?)")
    assert back == f"The microphone {MICROPHONE} is back."
    assert told[0].at_s - times[0] < 2.0
    assert told[1].at_s - times[1] < 2.0


def test_a_sound_system_that_crashes_and_comes_back_is_used_again(card: VirtualCard) -> None:
    told: list[SessionEvent] = []
    asyncio.run(_with_trouble(told, [card.kill, card.start]))
    texts = _texts(told)
    assert sum("is back" in text for text in texts) == 2
    assert sum("another is sought" in text for text in texts) == 2


def test_a_sound_system_that_hangs_is_noticed_and_used_again(card: VirtualCard) -> None:
    told: list[SessionEvent] = []
    times = asyncio.run(_with_trouble(told, [card.freeze, card.thaw]))
    assert "does not answer any more" in _texts(told)[0]
    assert told[0].at_s - times[0] < 2.0
    assert "is back" in _texts(told)[-1]


async def _with_trouble(
    told: list[SessionEvent], troubles: list[Callable[[], None]], *, microphone: str = ""
) -> list[float]:
    """Listen, and make a trouble each time when what was before it is over; when each began."""
    loop = asyncio.get_running_loop()
    times: list[float] = []
    end_s = 0.0

    async with _microphone(told, microphone=microphone) as transport:
        async for frame in transport.listen():
            # Silence or sound, there is never a gap: seconds of sound stay seconds of the clock.
            assert frame.heard.seconds == pytest.approx(0.02, abs=0.001)
            assert not end_s or 0 < frame.at_s - end_s < 0.1
            end_s = frame.at_s
            due = len(times) < len(troubles) and (not times or told)
            if due and end_s - (times[-1] if times else loop.time()) > (2.5 if times else -1.0):
                times.append(loop.time())
                await asyncio.to_thread(troubles[len(times) - 1])

            is_back = "is back" in "".join(_texts(told)[-1:])
            if is_back or end_s - (times[0] if times else end_s) > 20:
                break

    assert not transport.is_hanging
    return times


def _microphone(told: list[SessionEvent], *, microphone: str = "") -> Microphone:
    clock = asyncio.get_running_loop().time
    return Microphone(
        lambda: PortAudio(clock), show=told.append, clock=clock, microphone=microphone
    )


def _texts(told: list[SessionEvent]) -> list[str]:
    texts = [event.message for event in told if isinstance(event, ErrorRaised)]
    return [text for text in texts if "silence" not in text and "heard again" not in text]


def _likeness(recorded: Samples, voice: Audio) -> float:
    """The share of a sound's quarter seconds that were recorded as they are, 0 to 1."""
    sound = resample(voice, 16_000).samples
    pieces = [sound[start : start + 4_000] for start in range(0, len(sound) - 4_000, 4_000)]
    loud = [piece for piece in pieces if np.abs(piece).max() > 0.05]
    return float(np.mean([_is_in(recorded, piece) for piece in loud]))


def _is_in(recorded: Samples, piece: Samples) -> bool:
    size = 1 << (len(recorded) + len(piece)).bit_length()
    spectrum = np.fft.rfft(recorded, size) * np.conj(np.fft.rfft(piece, size))
    match = np.fft.irfft(spectrum, size)[: len(recorded)]
    place = int(np.argmax(match))
    stretch = recorded[place : place + len(piece)]
    scale = float(np.linalg.norm(stretch) * np.linalg.norm(piece))
    return len(stretch) == len(piece) and float(match[place]) > 0.95 * scale


@pytest.mark.models
def test_a_question_is_answered_aloud_and_the_answer_interrupted_over_its_own_echo(
    card: VirtualCard, tmp_path: Path
) -> None:
    card.loop_back(latency_ms=100, volume=0.25)  # the microphone hears the loudspeaker at -12 dB
    log = tmp_path / "kept"
    # On a machine that is busy with other tests too few steps might be left for the right answer.
    options = ("--log", str(log), "--set", "watchdog.enabled=false")

    with card.recorder() as recording, _Program("talk", *options) as talk:
        talk.wait_for("ready")
        card.speak(QUESTION).wait()
        talk.wait_for("first sound after")
        first = recording.played
        card.speak(QUESTION).wait()
        talk.wait_for("you    ", times=2)
        time.sleep(1.0)
        card.speak(QUESTION)
        talk.wait_for("interrupted")

    assert talk.code == 0
    answers = [line for line in talk.lines if line.startswith("agent")]
    assert "interrupted" not in answers[0]  # its own voice, come back, is nobody's
    assert "$14" in answers[0]
    assert len([line for line in talk.lines if line.startswith("you")]) <= 3
    assert "14" in _transcript(first)
    (folder,) = log.iterdir()
    kept = audio_file.read(folder / "talk.wav")
    assert kept.seconds > 10
    events = [
        json.loads(line)["event"] for line in (folder / "events.jsonl").read_text().splitlines()
    ]
    assert {"log_began", "speech_stopped", "first_audio", "reply_ended"} <= set(events)


def test_a_question_is_recorded_until_it_ends_or_until_somebody_stops_it(
    card: VirtualCard, tmp_path: Path
) -> None:
    voice = audio_file.read(QUESTION)

    with _Program("record", str(tmp_path / "whole.wav")) as recorder:
        recorder.wait_for("recording from")
        card.speak(QUESTION).wait()
        recorder.wait()

    assert recorder.code == 0
    whole = audio_file.read(tmp_path / "whole.wav")
    assert whole.rate_hz == 48_000
    assert _likeness(resample(whole, 16_000).samples, voice) >= 0.75
    assert whole.seconds < voice.seconds + 0.5

    with _Program("record", str(tmp_path / "part.flac")) as recorder:
        recorder.wait_for("recording from")
        card.speak(QUESTION)
        time.sleep(1.8)

    assert recorder.code == 0
    assert 0.5 < audio_file.read(tmp_path / "part.flac").seconds < whole.seconds


def test_a_sound_system_that_hangs_at_the_start_is_told(card: VirtualCard) -> None:
    card.freeze()

    with _Program("devices") as listing:
        listing.wait()

    card.thaw()
    assert listing.code == 1
    assert len(listing.lines) == 1
    assert listing.lines[0].startswith("atonce: the sound system does not answer: restart it")


class _Program:
    """A command of atonce in a process of its own, and what it printed."""

    def __init__(self, *words: str) -> None:
        command = [sys.executable, "-P", "-m", "atonce.agent.cli", *words]
        self.lines: list[str] = []
        self.code: int | None = None
        self._is_over = False
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._arrived = threading.Condition()
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> _Program:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ctrl-C, unless it has ended; its exit code."""
        self._process.send_signal(signal.SIGINT)
        self.wait()

    def wait(self) -> None:
        """Until it has ended."""
        self._thread.join()
        self.code = self._process.wait()

    def wait_for(self, words: str, *, times: int = 1) -> None:
        """Until it has printed this so often."""
        with self._arrived:
            self._arrived.wait_for(
                lambda: self._is_over or self._count(words) >= times, timeout=LONGEST_S
            )
            assert self._count(words) >= times, "\n".join(self.lines)

    def _count(self, words: str) -> int:
        return sum(words in line for line in self.lines)

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as printed:
            for line in printed:
                with self._arrived:
                    self.lines.append(line.rstrip())
                    self._arrived.notify_all()

        with self._arrived:
            self._is_over = True
            self._arrived.notify_all()


def _transcript(audio: Audio) -> str:
    section = defaults().settings.transcriber
    transcriber = registry.find("transcriber", section.engine).from_settings(section)
    text: str = transcriber.transcribe(audio).text
    return text
