"""Devices: found by name, opened at what they can do, kept open through every trouble."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from atonce.agent.device_keeper import DeviceKeeper, Line
from atonce.agent.devices import NOTHING_THERE, Device, find, listing
from atonce.agent.fake_sound import FakeSound
from atonce.agent.portaudio import PortAudio
from atonce.agent.sound_system import OpenLine, SoundSystem
from atonce.config.errors import AudioError
from atonce.speech.protocols import Samples


def device(
    name: str,
    *,
    is_input: bool = True,
    host: str = "PulseAudio",
    is_default: bool = False,
    ident: str = "",
) -> Device:
    return Device(name, ident or f"id of {name}", host, is_input, 48_000, 2, is_default)


YETI = device("Blue Yeti Stereo", ident="alsa_input.usb-Blue")
WEBCAM = device("Webcam C920", is_default=True)
SPEAKERS = device("Speakers", is_input=False, is_default=True)
ALL = [WEBCAM, YETI, SPEAKERS]


@pytest.mark.parametrize(
    "wanted", ["yeti", "Blue Yeti Stereo", "alsa_input.usb-Blue", "stereo blue"]
)
def test_a_device_is_found_by_any_part_of_its_name(wanted: str) -> None:
    assert find(ALL, wanted, is_input=True) == YETI


def test_no_name_is_the_systems_own_device() -> None:
    assert find(ALL, "", is_input=True) == WEBCAM
    assert find([YETI], " ", is_input=True) == YETI


def test_the_same_device_in_several_systems_is_the_best_of_them() -> None:
    raw = device("Blue Yeti: USB Audio (hw:1,0)", host="ALSA")
    assert find([raw, YETI], "blue yeti", is_input=True) == YETI
    assert find([raw, YETI], "hw:1,0", is_input=True) == raw


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ("3", "chosen by name, because numbers move"),
        ("Blue Yety Stereo", "did you mean 'Blue Yeti Stereo'?"),
        ("e", "may be one of several microphones: Webcam C920, Blue Yeti Stereo"),
        ("speakers", "there is no microphone 'speakers'"),
    ],
)
def test_a_name_that_fits_none_or_several_is_explained(wanted: str, says: str) -> None:
    with pytest.raises(AudioError, match=re.escape(says)):
        find(ALL, wanted, is_input=True)


def test_devices_of_the_same_name_are_told_apart() -> None:
    twins = [device("Headset", ident="first"), device("Headset", ident="second")]
    with pytest.raises(AudioError, match=r"Headset \(first\), Headset \(second\)"):
        find(twins, "headset", is_input=True)

    assert find(twins, "second", is_input=True) == twins[1]


def test_without_any_microphone_the_remedy_is_said() -> None:
    with pytest.raises(AudioError, match="connect one and start again"):
        find([SPEAKERS], "", is_input=True)

    assert NOTHING_THERE[True] in listing([SPEAKERS])
    assert "* Speakers" in listing([SPEAKERS])


# ---- PortAudio ----


class FakeLibrary:
    """sounddevice, as far as it is used, with one device that takes only one form."""

    class PortAudioError(Exception):
        pass

    def __init__(self, *, takes: tuple[int, int], channels: int = 2, fault: int = -9997) -> None:
        self.takes = takes
        self.fault = fault
        self.tried: list[tuple[int, int]] = []
        self.default = SimpleNamespace(device=(0, 0))
        self.InputStream = self.OutputStream = self._stream
        self.entry = {
            "name": "Card",
            "hostapi": 0,
            "max_input_channels": channels,
            "max_output_channels": channels,
            "default_samplerate": 44_100.0,
        }
        self.callback: Any = None

    def query_devices(self) -> list[dict[str, Any]]:
        return [self.entry]

    def query_hostapis(self) -> list[dict[str, Any]]:
        return [{"name": "Core Audio"}]

    def _initialize(self) -> None: ...

    def _terminate(self) -> None: ...

    def _stream(self, **given: Any) -> Any:
        self.tried.append((given["samplerate"], given["channels"]))
        if self.tried[-1] != self.takes:
            raise self.PortAudioError("Invalid sample rate", self.fault)

        self.callback = given["callback"]
        return SimpleNamespace(
            latency=0.04,
            active=True,
            start=lambda: None,
            abort=lambda **_: None,
            close=lambda **_: None,
        )


@pytest.fixture(autouse=True)
def _no_pulse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atonce.agent.pulse.PulseServer.devices", lambda *_, **__: [])


def test_a_card_that_takes_only_48_khz_stereo_is_opened_so() -> None:
    library = FakeLibrary(takes=(48_000, 2))
    system = PortAudio(lambda: 10.0, library)
    heard: list[tuple[Samples, int, float]] = []
    line = system.listen(
        find(system.devices(), "card", is_input=True), lambda *sound: heard.append(sound)
    )
    assert library.tried[:2] == [(44_100, 1), (44_100, 2)]  # its own rate is tried first
    assert line.rate_hz == 48_000

    times = SimpleNamespace(currentTime=5.0, inputBufferAdcTime=4.97, outputBufferDacTime=5.04)
    library.callback(np.full((960, 2), 0.5, dtype=np.float32), 960, times, None)
    samples, rate_hz, at_s = heard[0]
    assert samples.shape == (960,)
    assert set(samples) == {0.5}
    assert (rate_hz, at_s) == (48_000, pytest.approx(10.0 - 0.03 + 0.02))


def test_sound_of_another_rate_is_converted_for_a_loudspeaker() -> None:
    library = FakeLibrary(takes=(44_100, 2))
    system = PortAudio(lambda: 10.0, library)
    asked: list[tuple[int, float]] = []

    def fill(count: int, at_s: float) -> Samples:
        asked.append((count, at_s))
        return np.full(count, 0.5, dtype=np.float32)

    line = system.play(find(system.devices(), "", is_input=False), 24_000, fill)
    times = SimpleNamespace(currentTime=5.0, inputBufferAdcTime=0.0, outputBufferDacTime=5.04)
    played = np.zeros((882, 2), dtype=np.float32)
    for _ in range(50):
        library.callback(played, 882, times, None)

    assert line.rate_hz == 44_100
    assert asked[0][1] == pytest.approx(10.04)
    assert np.allclose(played, 0.5, atol=0.01)
    assert sum(count for count, _ in asked) == pytest.approx(50 * 0.02 * 24_000, rel=0.05)


def test_a_device_that_is_in_use_is_told_in_one_sentence_without_trying_every_rate() -> None:
    library = FakeLibrary(takes=(1, 1), fault=-9985)
    system = PortAudio(library=library)
    with pytest.raises(AudioError, match="another program holds it, or it was just unplugged"):
        system.listen(find(system.devices(), "", is_input=True), lambda *_: None)

    assert len(library.tried) == 1


# ---- kept open ----


class Desk:
    """A keeper with a microphone and a loudspeaker on a fake system, and what it said."""

    def __init__(self, *, wanted: str = "", is_watched: bool = True) -> None:
        self.system = FakeSound(ALL, is_watched=is_watched)
        self.said: list[str] = []
        self.microphone = Line(is_input=True, wanted=wanted, opened=self._listen)
        self.loudspeaker = Line(is_input=False, wanted="", opened=self._play)
        self.now_s = 100.0
        self.sound = np.full(960, 0.1, dtype=np.float32)
        self.keeper = DeviceKeeper(
            self.system, (self.microphone, self.loudspeaker), self.said.append
        )
        self.keeper.open(self.now_s)

    def _listen(self, system: SoundSystem, which: Device, line: Line) -> OpenLine:
        return system.listen(which, lambda samples, _, at_s: line.note(samples, at_s))

    def _play(self, system: SoundSystem, which: Device, line: Line) -> OpenLine:
        def fill(count: int, at_s: float) -> Samples:
            line.note(self.sound, at_s)
            return np.zeros(count, dtype=np.float32)

        return system.play(which, 48_000, fill)

    def run(self, seconds: float, *, is_heard: bool = True, is_played: bool = True) -> None:
        """Callbacks come, and the keeper looks twice a second."""
        for _ in range(round(seconds / 0.5)):
            self.now_s += 0.5
            for line in [line for line in self.system.lines if line.is_running()]:
                if line.device.is_input and is_heard:
                    line.push(self.sound, self.now_s)
                elif not line.device.is_input and is_played:
                    line.pull(960, self.now_s)

            self.keeper.look(self.now_s)

    @property
    def used(self) -> list[str]:
        """Names of what is open."""
        return [line.device.name for line in self.system.lines if line.is_open]


def test_what_works_is_left_alone() -> None:
    desk = Desk()
    desk.run(10)
    assert desk.said == []
    assert desk.used == ["Webcam C920", "Speakers"]


def test_a_device_that_is_unplugged_is_said_and_opened_again_by_name() -> None:
    desk = Desk(wanted="yeti")
    desk.system.there.remove(YETI)
    desk.run(1)
    said = "The microphone Blue Yeti Stereo is gone (was it unplugged?); it is used again"
    assert desk.said == [f"{said} as soon as it returns."]
    assert desk.used == ["Speakers"]

    desk.run(10)  # the loudspeaker goes on meanwhile, and nothing is said twice
    desk.system.there.insert(0, YETI)
    desk.run(1.5)
    assert desk.said[1:] == ["The microphone Blue Yeti Stereo is back."]
    assert desk.used == ["Speakers", "Blue Yeti Stereo"]


def test_another_device_of_the_list_is_never_taken_for_the_one_that_was_named() -> None:
    desk = Desk(wanted="yeti")
    desk.system.there = [device("Other"), *ALL]
    desk.system.there.remove(YETI)
    desk.run(5)
    assert desk.used == ["Speakers"]


def test_with_no_name_given_the_systems_own_device_is_followed() -> None:
    desk = Desk()
    desk.system.there = [
        device("Webcam C920"),
        device("Headset", is_default=True),
        SPEAKERS,
    ]
    desk.run(2)
    assert desk.said == ["The microphone Headset is used now."]
    desk.system.there = [WEBCAM, SPEAKERS]
    desk.run(2)
    assert desk.said[1:] == [
        "The microphone Headset is gone (was it unplugged?); another is sought.",
        "The microphone Webcam C920 is used now.",
    ]


def test_a_line_without_callbacks_is_noticed_within_two_seconds() -> None:
    desk = Desk()
    desk.run(2, is_heard=False)
    assert desk.said[0].startswith("The microphone Webcam C920 does not answer any more")
    assert desk.said[1] == "The microphone Webcam C920 is back."


def test_a_machine_that_stood_still_is_no_lost_device() -> None:
    desk = Desk()
    desk.run(1)
    desk.now_s += 30.0
    desk.keeper.look(desk.now_s)
    desk.run(1)
    assert desk.said == []


def test_a_line_that_the_system_gave_up_is_opened_again() -> None:
    desk = Desk()
    desk.system.line("Speakers").is_alive = False
    desk.run(1)
    assert desk.said == [
        "The loudspeaker Speakers stopped (was it unplugged?); another is sought.",
        "The loudspeaker Speakers is back.",
    ]


def test_a_muted_microphone_is_told_once_and_its_end_as_well() -> None:
    desk = Desk()
    desk.sound = np.zeros(960, dtype=np.float32)
    desk.run(10)
    assert desk.said == ["The microphone Webcam C920 gives nothing but silence: is it muted?"]
    desk.sound = np.full(960, 0.1, dtype=np.float32)
    desk.run(1)
    assert desk.said[1:] == ["The microphone Webcam C920 is heard again."]


def test_a_microphone_with_a_gate_is_not_told_to_be_muted_at_every_pause() -> None:
    desk = Desk()
    for _ in range(5):
        desk.sound = np.full(960, 0.1, dtype=np.float32)
        desk.run(2)
        desk.sound = np.zeros(960, dtype=np.float32)
        desk.run(5)

    assert len(desk.said) == 2  # the first pause, and its end


def test_a_device_that_another_program_holds_is_told_once_and_tried_again() -> None:
    desk = Desk(wanted="yeti")
    desk.system.busy.add(YETI.name)
    desk.system.line(YETI.name).is_alive = False
    desk.run(6)
    assert len(desk.said) == 2
    assert "cannot be opened: busy; it is tried again every second." in desk.said[1]
    desk.system.busy.clear()
    desk.run(1.5)
    assert desk.said[2:] == ["The microphone Blue Yeti Stereo is back."]


def test_a_system_that_knows_only_what_was_there_is_started_again_for_what_comes_back() -> None:
    desk = Desk(wanted="yeti", is_watched=False)
    again = device("Blue Yeti Stereo", ident="alsa_input.usb-Blue", is_default=True)
    desk.system.line(YETI.name).is_alive = False
    desk.system.there = [WEBCAM, SPEAKERS]
    desk.run(2)
    assert desk.used == ["Speakers"]
    desk.system.there = [again, WEBCAM, SPEAKERS]  # another entry of the list, the same name
    desk.run(4)
    assert desk.system.restarts == 1
    assert sorted(desk.used) == ["Blue Yeti Stereo", "Speakers"]
    assert desk.said[-1] == "The loudspeaker Speakers is back." or "Yeti" in desk.said[-1]


def test_a_system_that_does_not_answer_is_asked_again() -> None:
    desk = Desk(wanted="yeti")
    desk.system.is_mute = True
    desk.system.line(YETI.name).is_alive = False
    desk.run(5)
    assert len(desk.said) == 1
    desk.system.is_mute = False
    desk.run(1.5)
    assert desk.said[1:] == ["The microphone Blue Yeti Stereo is back."]


def test_when_one_device_cannot_be_opened_at_the_start_none_stays_open() -> None:
    system = FakeSound(ALL)
    system.busy.add(SPEAKERS.name)
    lines = (
        Line(is_input=True, wanted="", opened=lambda s, d, _: s.listen(d, lambda *_: None)),
        Line(is_input=False, wanted="", opened=lambda s, d, _: s.play(d, 48_000, _silence)),
    )
    with pytest.raises(AudioError, match="cannot be opened"):
        DeviceKeeper(system, lines, lambda _: None).open(0.0)

    assert not any(line.is_open for line in system.lines)


def _silence(count: int, at_s: float) -> Samples:  # noqa: ARG001
    return np.zeros(count, dtype=np.float32)
