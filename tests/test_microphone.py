"""The microphone's parts without a sound card: time, what was played, devices that come and go."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from atonce.agent import keys
from atonce.agent.cli import main
from atonce.agent.devices import Device
from atonce.agent.events import ErrorRaised, SessionEvent
from atonce.agent.fake_sound import FakeSound
from atonce.agent.microphone import Microphone
from atonce.agent.played import LEAD_S, PlayedTrack
from atonce.agent.sound_clock import GAP_S, WINDOW, SoundClock
from atonce.agent.stopping import stoppable, within
from atonce.agent.talk_log import TalkLog
from atonce.agent.transport import Frame
from atonce.config.errors import AudioError
from atonce.speech.protocols import Audio

BLOCK_S = 0.02


def test_times_that_jitter_become_smooth() -> None:
    clock = SoundClock()
    jitter = np.random.default_rng(1).uniform(0, 0.025, size=500)
    missing_s = [clock.receive(BLOCK_S, n * BLOCK_S + late) for n, late in enumerate(jitter)]
    assert not any(missing_s)
    assert clock.end_s == pytest.approx(499 * BLOCK_S, abs=0.01)


def test_sound_that_is_missing_is_told_once() -> None:
    clock = SoundClock()
    times = [n * BLOCK_S for n in range(50)] + [n * BLOCK_S + 0.5 for n in range(50, 100)]
    missing_s = [clock.receive(BLOCK_S, at_s) for at_s in times]
    assert sum(missing_s) == pytest.approx(0.5)
    assert missing_s.index(max(missing_s)) < 50 + WINDOW
    assert clock.end_s == pytest.approx(times[-1])


def test_a_callback_that_was_held_up_is_no_gap() -> None:
    clock = SoundClock()
    times = [n * BLOCK_S for n in range(100)]
    times[50:55] = [times[55]] * 5  # five at once, told as if they had all ended now
    assert not any(clock.receive(BLOCK_S, at_s) for at_s in times)


def test_sound_of_another_line_begins_where_it_says() -> None:
    clock = SoundClock()
    clock.receive(BLOCK_S, 1.0)
    clock.restart()
    assert clock.receive(BLOCK_S, 3.0) == pytest.approx(2.0 - BLOCK_S)
    assert clock.end_s == pytest.approx(3.0)


def test_sound_that_comes_after_silence_took_its_place_is_dropped() -> None:
    clock = SoundClock()
    clock.receive(BLOCK_S, 1.0)
    for _ in range(50):
        clock.skip(BLOCK_S)

    assert clock.end_s == pytest.approx(2.0)
    assert clock.is_too_late(BLOCK_S, 1.02)
    assert not clock.is_too_late(BLOCK_S, 2.0 + BLOCK_S)


def test_time_never_goes_back_even_where_a_device_tells_so() -> None:
    clock = SoundClock()
    ends_s = []
    for at_s in [1.0, 1.02, 1.04, *(0.5 + n * BLOCK_S for n in range(60))]:
        clock.receive(BLOCK_S, at_s)
        ends_s.append(clock.end_s or 0.0)

    assert all(later > earlier for earlier, later in itertools.pairwise(ends_s))
    assert ends_s[-1] == pytest.approx(0.5 + 59 * BLOCK_S)


def test_a_clock_that_drifts_is_followed_without_a_gap() -> None:
    clock = SoundClock()
    missing_s = [clock.receive(BLOCK_S, n * BLOCK_S * 1.0002) for n in range(30_000)]
    assert not any(missing_s)
    assert clock.end_s == pytest.approx(29_999 * BLOCK_S * 1.0002, abs=GAP_S)


def test_what_was_played_lies_beside_what_was_heard_without_a_jump() -> None:
    track = PlayedTrack(1_000)
    jitter = np.random.default_rng(2).uniform(-0.01, 0.01, size=100)
    for n, late in enumerate(jitter):
        track.put(np.arange(20 * n, 20 * n + 20, dtype=np.float32), 1.0 + n * BLOCK_S + late)

    taken = np.concatenate(
        [track.take(BLOCK_S, 1.2 + n * BLOCK_S + jitter[n]).samples for n in range(50)]
    )
    assert np.all(np.diff(taken) == 1.0)
    assert taken[0] == pytest.approx(1_000 * (0.2 + LEAD_S), abs=20)


def test_nothing_played_is_silence() -> None:
    track = PlayedTrack(1_000)
    track.put(np.ones(20, dtype=np.float32), 1.0)
    assert not track.take(BLOCK_S, 5.0).samples.any()
    assert len(PlayedTrack(44_100).take(BLOCK_S, 0.0).samples) == 882


def test_a_voice_that_stopped_for_a_while_is_laid_anew() -> None:
    track = PlayedTrack(1_000)
    track.put(np.ones(20, dtype=np.float32), 1.0)
    track.put(np.full(20, 2.0, dtype=np.float32), 2.0)
    assert set(track.take(BLOCK_S, 2.0 - LEAD_S).samples) == {2.0}


def test_lengths_do_not_drift_where_rates_do_not_divide() -> None:
    track = PlayedTrack(44_100)
    count = sum(len(track.take(0.0213, n * 0.0213).samples) for n in range(1_000))
    assert count == pytest.approx(0.0213 * 1_000 * 44_100, abs=1)


# ---- the transport, on a sound system that the test drives ----

MICROPHONE = Device("Desk", "desk", "PulseAudio", True, 44_100, 1, True)
LOUDSPEAKER = Device("Box", "box", "PulseAudio", False, 48_000, 2, True)


async def _frames(transport: Microphone, count: int) -> list[Frame]:
    frames = []
    async with asyncio.timeout(10):
        async for frame in transport.listen():
            frames.append(frame)
            if len(frames) == count:
                break

    return frames


def _transport(
    system: FakeSound, told: list[SessionEvent], *, is_cancelled: bool = True, **given: Any
) -> Microphone:
    clock = asyncio.get_running_loop().time
    return Microphone(
        lambda: system, show=told.append, clock=clock, is_cancelled=is_cancelled, **given
    )


def test_what_is_heard_comes_with_what_was_audible_meanwhile() -> None:
    system = FakeSound([MICROPHONE, LOUDSPEAKER])
    tapped: list[tuple[Audio, Audio | None, float]] = []

    async def talk(*, is_cancelled: bool) -> list[Frame]:
        tap = lambda *sound: tapped.append(sound)  # noqa: E731
        async with _transport(system, [], is_cancelled=is_cancelled, tap=tap) as transport:
            voice = np.full(48_000, 0.5, dtype=np.float32)
            transport.playback.put(Audio(voice, 48_000))
            loud, desk = system.line("Box"), system.line("Desk")
            begin_s = asyncio.get_running_loop().time() - 0.2
            for n in range(12):
                loud.pull(960, begin_s + n * BLOCK_S)

            heard = np.full(882, 0.1, dtype=np.float32)
            reading = asyncio.ensure_future(_frames(transport, 5))
            await asyncio.sleep(0)
            for n in range(5):
                desk.push(heard, begin_s + (n + 1) * BLOCK_S)

            return await reading

    frames = asyncio.run(talk(is_cancelled=True))
    for frame in frames:
        assert (frame.heard.rate_hz, len(frame.heard.samples)) == (44_100, 882)
        assert frame.played is not None
        assert frame.played.rate_hz == 48_000
        assert frame.played.samples == pytest.approx(0.5, abs=0.51)

    played = np.concatenate([frame.played.samples for frame in frames if frame.played])
    assert np.count_nonzero(played > 0.4) > 0.9 * len(played)
    assert [at_s for *_, at_s in tapped] == [frame.at_s for frame in frames]
    assert all(frame.played is None for frame in asyncio.run(talk(is_cancelled=False)))


def test_a_loop_that_does_not_follow_loses_the_oldest_sound_and_no_time() -> None:
    system = FakeSound([MICROPHONE])
    told: list[SessionEvent] = []

    async def talk() -> tuple[list[Frame], float]:
        async with _transport(system, told, plays=False) as transport:
            desk, now_s = system.line("Desk"), asyncio.get_running_loop().time()
            reading = asyncio.ensure_future(_frames(transport, 200))
            await asyncio.sleep(0)
            sound = np.full(882, 0.1, dtype=np.float32)
            desk.push(sound, now_s)
            await asyncio.sleep(0.05)
            for n in range(1, 200):  # four seconds at once; the ring holds two
                desk.push(sound, now_s + n * BLOCK_S)

            return await reading, transport.dropped_s

    frames, dropped_s = asyncio.run(talk())
    assert dropped_s == pytest.approx(2.0, abs=0.1)
    assert frames[-1].at_s - frames[0].at_s == pytest.approx(199 * BLOCK_S, abs=0.05)
    assert frames[0].heard.samples.any()
    assert sum(not frame.heard.samples.any() for frame in frames) == pytest.approx(99, abs=3)


def test_while_the_microphone_gives_nothing_silence_comes_in_its_pace() -> None:
    system = FakeSound([MICROPHONE])

    async def talk() -> list[Frame]:
        async with _transport(system, [], plays=False) as transport:
            reading = asyncio.ensure_future(_frames(transport, 20))
            await asyncio.sleep(0)
            sound = np.full(882, 0.1, dtype=np.float32)
            system.line("Desk").push(sound, asyncio.get_running_loop().time())
            return await reading

    frames = asyncio.run(talk())
    assert not any(frame.heard.samples.any() for frame in frames[1:])
    assert np.diff([frame.at_s for frame in frames]) == pytest.approx(BLOCK_S, abs=1e-6)


def test_a_device_that_cannot_be_opened_ends_the_start_in_one_sentence() -> None:
    system = FakeSound([MICROPHONE, LOUDSPEAKER])
    system.busy.add("Box")

    async def talk() -> None:
        async with _transport(system, []):
            raise AssertionError("it was opened")

    with pytest.raises(AudioError, match="the loudspeaker Box cannot be opened"):
        asyncio.run(talk())


def test_what_comes_of_a_line_that_was_given_up_is_not_heard() -> None:
    system = FakeSound([MICROPHONE, LOUDSPEAKER])

    async def talk() -> tuple[int, float]:
        async with _transport(system, []) as transport:
            transport.playback.put(Audio(np.ones(960, dtype=np.float32), 48_000))
            old_in, old_out = system.line("Desk"), system.line("Box")
            for line in (old_in, old_out):
                line.is_alive = False

            async with asyncio.timeout(10):
                while len(system.lines) < 4:  # noqa: ASYNC110 - a thread opens them
                    await asyncio.sleep(0.05)

            for line in (old_in, old_out):
                line.is_open = True  # its thread calls once more

            old_in.push(np.ones(882, dtype=np.float32), 0.0)
            return len(transport._ring), float(np.abs(old_out.pull(960, 0.0)).max())

    assert asyncio.run(talk()) == (0, 0.0)


# ---- what is kept of a talk ----


def test_a_log_holds_both_voices_and_every_event(tmp_path: Path) -> None:
    said: list[str] = []
    with TalkLog(tmp_path / "a" / "talk", settings="llm: {}", say=said.append) as log:
        left = Audio(np.full(882, 0.25, dtype=np.float32), 44_100)
        right = Audio(np.full(960, -0.5, dtype=np.float32), 48_000)
        for n in range(100):
            log.hear(left, right if n < 50 else None, 10.0 + n * BLOCK_S)

        log.show(ErrorRaised(11.0, "nothing"))

    folder = tmp_path / "a" / "talk"
    sound, rate_hz = soundfile.read(folder / "talk.wav")
    assert (rate_hz, sound.shape[1]) == (16_000, 2)
    assert len(sound) == pytest.approx(2.0 * 16_000, abs=1_000)
    assert sound[8_000] == pytest.approx((0.25, -0.5), abs=0.01)
    assert sound[24_000] == pytest.approx((0.25, 0.0), abs=0.01)
    events = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert events[0] == {"event": "log_began", "at_s": 9.98}
    assert events[-1] == {"event": "error_raised", "at_s": 11.0, "message": "nothing"}
    assert (folder / "settings.yaml").read_text() == "llm: {}\n"
    assert folder.stat().st_mode & 0o077 == 0
    assert said == []


def test_of_a_muted_microphone_the_log_keeps_nothing(tmp_path: Path) -> None:
    with TalkLog(tmp_path / "talk", settings="", say=str) as log:
        for n in range(100):
            log.is_deaf = n >= 50
            sound = Audio(np.full(320, 0.25, dtype=np.float32), 16_000)
            log.hear(sound, sound, n * BLOCK_S)

    kept, _ = soundfile.read(tmp_path / "talk" / "talk.wav")

    assert kept[8_000] == pytest.approx((0.25, 0.25), abs=0.01)
    assert kept[24_000] == pytest.approx((0.0, 0.25), abs=0.01)


def test_a_disk_that_is_full_ends_the_log_and_not_the_talk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with TalkLog(tmp_path / "talk", settings="", say=said.append) as log:
        monkeypatch.setattr(wave.Wave_write, "writeframes", full)
        for n in range(200):
            log.hear(Audio(np.ones(882, dtype=np.float32), 44_100), None, n * BLOCK_S)

    assert said == [f"the log in {tmp_path / 'talk'} ends here: No space left on device"]


def test_a_log_in_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AudioError, match=r"no log can be kept in .*choose another folder"):
        TalkLog(tmp_path / "file" / "talk", settings="", say=lambda _: None)


# ---- keys, and hanging libraries ----


def test_keys_are_read_one_by_one_and_the_terminal_is_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ours, theirs = pty.openpty()
    pressed: list[str] = []

    async def type_keys() -> None:
        with keys.read(pressed.append):
            assert not termios.tcgetattr(theirs)[3] & termios.ICANON
            os.write(ours, b"m q")
            async with asyncio.timeout(5):
                while len(pressed) < 3:  # noqa: ASYNC110 - the terminal brings them
                    await asyncio.sleep(0.01)

    with os.fdopen(theirs, "r") as terminal:
        monkeypatch.setattr("sys.stdin", terminal)
        before = termios.tcgetattr(theirs)
        asyncio.run(type_keys())
        assert termios.tcgetattr(theirs) == before

    os.close(ours)
    assert pressed == ["m", " ", "q"]


def test_without_a_terminal_there_are_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert not keys.are_there()
    monkeypatch.setattr("sys.stdin", None)
    assert not keys.are_there()


def test_a_call_that_hangs_ends_the_program_with_one_sentence() -> None:
    program = (
        "import threading; from atonce.agent.stopping import within;"
        "from atonce.config.errors import AudioError;"
        "within(0.1, threading.Event().wait, AudioError('it hangs: restart it'))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (1, "atonce: it hangs: restart it\n")
    assert within(5.0, lambda: 7, AudioError("")) == 7


def test_the_first_signal_stops_in_order() -> None:
    async def work() -> str:
        with stoppable():
            try:
                signal.raise_signal(signal.SIGTERM)
                await asyncio.sleep(5)
            except asyncio.CancelledError:
                return "stopped"

        return "went on"

    assert asyncio.run(work()) == "stopped"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["talk", "--push-to-talk"], "push-to-talk needs the keys of a terminal"),
        (["record", "question.wav", "--seconds", "0"], "--seconds is from 0.1 to 600"),
        (["record", "question.txt"], "name a file that ends in .wav"),
    ],
)
def test_what_cannot_be_done_is_said_before_any_device_is_touched(
    words: list[str], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert main(words) in (1, 2)
    assert says in capsys.readouterr().err
