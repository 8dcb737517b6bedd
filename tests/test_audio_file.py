"""Audio files: what is read in any common form, what is refused and how, what is written whole."""

from __future__ import annotations

import math
import os
import wave
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from atonce.config.errors import AudioError
from atonce.speech import audio_file
from atonce.speech.audio_file import check_writable, join, read, write
from atonce.speech.protocols import Audio, Samples
from atonce.speech.resample import resample

FORMS = {
    "studio.wav": (16_000, 1, "PCM_16"),
    "stereo.wav": (44_100, 2, "PCM_16"),
    "float.wav": (48_000, 1, "FLOAT"),
    "double.wav": (48_000, 1, "DOUBLE"),
    "phone.wav": (8_000, 1, "ULAW"),
    "mobile.wav": (8_000, 1, "GSM610"),
    "wide.wav": (48_000, 6, "PCM_24"),
    "bytes.wav": (11_025, 1, "PCM_U8"),
    "lossless.flac": (44_100, 2, "PCM_24"),
    "free.ogg": (48_000, 1, "VORBIS"),
    "browser.ogg": (48_000, 1, "OPUS"),
    "player.mp3": (44_100, 2, "MPEG_LAYER_III"),
}


def tone(*, rate_hz: int = 16_000, seconds: float = 1.0, pitch_hz: float = 440.0) -> Samples:
    """A tone at half of full scale."""
    times = np.arange(int(rate_hz * seconds)) / rate_hz
    return np.asarray(0.5 * np.sin(2 * np.pi * pitch_hz * times), dtype=np.float32)


def pitch_hz(audio: Audio) -> float:
    """Where the spectrum is strongest."""
    spectrum = np.abs(np.fft.rfft(audio.samples * np.hanning(len(audio.samples))))
    return float(spectrum.argmax() / audio.seconds)


@pytest.mark.parametrize("name", FORMS)
def test_a_tone_keeps_its_pitch_length_and_level_in_every_form(name: str, tmp_path: Path) -> None:
    rate_hz, channels, width = FORMS[name]
    path = tmp_path / name
    sound = np.tile(tone(rate_hz=rate_hz)[:, None], channels)
    soundfile.write(path, sound, rate_hz, subtype=width)

    audio = read(path)
    converted = resample(audio, 16_000)

    assert audio.rate_hz == rate_hz
    assert audio.samples.dtype == np.float32
    assert audio.samples.shape == (len(audio.samples),)
    assert converted.rate_hz == 16_000
    assert converted.seconds == pytest.approx(1.0, abs=0.06)
    assert pitch_hz(converted) == pytest.approx(440, rel=0.01)
    assert np.abs(converted.samples[4000:12000]).max() == pytest.approx(0.5, abs=0.05)


def test_a_browser_recording_that_soundfile_cannot_read_is_read(tmp_path: Path) -> None:
    path = tmp_path / "browser.webm"

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libopus", rate=48_000, layout="mono")

        for block in tone(rate_hz=48_000).reshape(-1, 960):
            frame = av.AudioFrame.from_ndarray(block[None], format="flt", layout="mono")
            frame.rate = 48_000
            container.mux(stream.encode(frame))

        container.mux(stream.encode(None))

    audio = read(path)

    assert audio.seconds == pytest.approx(1.0, abs=0.05)
    assert pitch_hz(audio) == pytest.approx(440, rel=0.01)


def test_a_film_without_sound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "silent.mkv"

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
        container.mux(stream.encode(picture))
        container.mux(stream.encode(None))

    with pytest.raises(AudioError, match="holds no sound"):
        read(path)


def test_a_long_film_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "film.mka"

    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8_000, layout="mono")

        for block in tone(rate_hz=8_000, seconds=2.048).reshape(-1, 1024):
            frame = av.AudioFrame.from_ndarray(block[None], format="fltp", layout="mono")
            frame.rate = 8_000
            container.mux(stream.encode(frame))

        container.mux(stream.encode(None))

    monkeypatch.setattr(audio_file, "LONGEST_S", 0.5)

    with pytest.raises(AudioError, match="longer than"):
        read(path)


def _nothing(_: Path) -> None:
    """The file is not made."""


def _long(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 1, 8_000, 0, "NONE", ""))
        file.writeframes(bytes(8_000 * 601))


WRONG = {
    "text.wav": (lambda path: path.write_text("hello\n" * 99), "is not an audio file"),
    "bytes.mp3": (lambda path: path.write_bytes(bytes(4000)), "is not an audio file"),
    "empty.wav": (lambda path: path.write_bytes(b""), "is empty"),
    "folder.wav": (lambda path: path.mkdir(), "is a folder"),
    "pipe.wav": (os.mkfifo, "is not a file"),
    "bare.raw": (lambda path: path.write_bytes(bytes(4000)), "unknown rate"),
    "none.wav": (lambda path: soundfile.write(path, tone()[:0], 16_000), "holds no samples"),
    "short.wav": (lambda path: soundfile.write(path, tone()[:160], 16_000), "holds 10 ms"),
    "nan.wav": (
        lambda path: soundfile.write(path, np.append(tone(), np.nan), 16_000, subtype="FLOAT"),
        "NaN or infinite",
    ),
    "infinite.wav": (
        lambda path: soundfile.write(path, np.append(tone(), np.inf), 16_000, subtype="FLOAT"),
        "NaN or infinite",
    ),
    "long.wav": (_long, "longer than 10 minutes"),
    "missing.wav": (_nothing, "does not exist"),
    "x" * 300 + ".wav": (_nothing, "cannot be read: File name too long"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_is_refused_in_one_sentence_that_names_it(name: str, tmp_path: Path) -> None:
    make, reason = WRONG[name]
    make(tmp_path / name)

    with pytest.raises(AudioError, match=reason) as caught:
        read(tmp_path / name)

    assert str(caught.value).startswith(str(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_a_file_that_may_not_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "private.wav"
    soundfile.write(path, tone(), 16_000)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    # The user who runs the tests may be allowed to read everything.
    monkeypatch.setattr(Path, "open", refuse)

    with pytest.raises(AudioError, match="cannot be read: Permission denied"):
        read(path)


def test_a_recording_that_was_cut_off_gives_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "cut.wav"
    soundfile.write(path, tone(), 16_000)
    path.write_bytes(path.read_bytes()[:16_044])

    assert read(path).seconds == pytest.approx(0.5)


def test_channels_in_opposite_phase_do_not_cancel_each_other(tmp_path: Path) -> None:
    path = tmp_path / "phase.wav"
    soundfile.write(path, np.stack([tone(), -tone()], axis=1), 16_000)

    assert np.abs(read(path).samples).max() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("level", [4.0, 3.3e38])
def test_samples_beyond_full_scale_are_turned_down_not_cut(level: float, tmp_path: Path) -> None:
    path = tmp_path / "loud.wav"
    sound = 2 * tone().astype(np.float64) * level
    soundfile.write(path, np.stack([sound, sound], axis=1), 16_000, subtype="FLOAT")

    samples = read(path).samples

    assert np.abs(samples).max() == pytest.approx(1.0)
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(math.sqrt(0.5), abs=0.01)


@given(
    length=st.integers(0, 3_000),
    rates_hz=st.tuples(*2 * [st.sampled_from((8_000, 11_025, 16_000, 22_050, 44_100, 48_000))]),
)
def test_a_new_rate_keeps_the_seconds(length: int, rates_hz: tuple[int, int]) -> None:
    before_hz, after_hz = rates_hz
    sound = Audio(tone(rate_hz=before_hz)[:length], before_hz)

    converted = resample(sound, after_hz)

    assert converted.rate_hz == after_hz
    assert converted.samples.dtype == np.float32
    assert abs(converted.seconds - sound.seconds) <= 0.5 / after_hz + 1e-9


def test_the_right_rate_is_left_alone() -> None:
    sound = Audio(tone(), 16_000)

    assert resample(sound, 16_000) is sound


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "A.WAV"])
def test_what_is_written_is_read_again(name: str, tmp_path: Path) -> None:
    write(Audio(tone(rate_hz=22_050), 22_050), tmp_path / name)

    audio = read(tmp_path / name)

    assert audio.rate_hz == 22_050
    assert audio.seconds == pytest.approx(1.0, abs=0.01)
    assert pitch_hz(audio) == pytest.approx(440, rel=0.01)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_written_file_can_be_read_by_those_the_user_allows(tmp_path: Path) -> None:
    before = os.umask(0o022)

    try:
        write(Audio(tone(), 16_000), tmp_path / "a.wav")
    finally:
        os.umask(before)

    assert (tmp_path / "a.wav").stat().st_mode & 0o777 == 0o644


def test_a_link_stays_a_link_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "link.wav").symlink_to(tmp_path / "target.wav")

    write(Audio(tone(), 16_000), tmp_path / "link.wav")

    assert (tmp_path / "link.wav").is_symlink()
    assert read(tmp_path / "target.wav").seconds == 1


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_the_old_file_and_no_half_one(
    fault: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "reply.wav"
    write(Audio(tone(), 16_000), path)
    old = path.read_bytes()

    def fail(self: Path, target: Path) -> None:
        assert self.parent == target.parent
        assert self.stat().st_size > 0
        raise fault

    monkeypatch.setattr(Path, "replace", fail)
    expected = AudioError if isinstance(fault, OSError) else KeyboardInterrupt

    with pytest.raises(expected, match="No space left" if expected is AudioError else None):
        write(Audio(tone(pitch_hz=880), 16_000), path)

    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_known_before_and_after_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    names = ("nowhere/a.wav", "file/a.wav", "a.mp3", "a", "x" * 300 + ".wav", "/proc/a.wav")

    for path in (tmp_path / name for name in names):
        with pytest.raises(AudioError, match="cannot be written"):
            check_writable(path)

        with pytest.raises(AudioError, match="cannot be written"):
            write(Audio(tone(), 16_000), path)

    with pytest.raises(AudioError, match=r"is a folder; name a file in it, for .*reply\.wav"):
        check_writable(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_looking_whether_a_place_can_be_written_leaves_nothing_there(tmp_path: Path) -> None:
    check_writable(tmp_path / "reply.wav")

    assert list(tmp_path.iterdir()) == []


def test_pieces_are_joined_at_the_rate_of_the_first() -> None:
    joined = join([Audio(tone(rate_hz=22_050), 22_050), Audio(tone(rate_hz=8_000), 8_000)])

    assert joined.rate_hz == 22_050
    assert joined.seconds == pytest.approx(2.0)
    assert pitch_hz(joined) == pytest.approx(440, rel=0.01)


def test_nothing_cannot_be_joined() -> None:
    with pytest.raises(AudioError, match="nothing that can be spoken"):
        join([])
