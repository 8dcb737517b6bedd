"""Audio files, read and written: any common format, rate, width and channel count, as mono.

Rule 1. What is read is finite, between -1 and 1, and long enough to hold a word.
Rule 2. A file that is written appears under its name whole, or not at all.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from atonce.config.errors import AudioError
from atonce.speech.protocols import Audio, Samples
from atonce.speech.resample import resample

SHORTEST_S = 0.1
"""Nothing that a person says is shorter."""
LONGEST_S = 600.0
"""A question is not longer; a film given by mistake would fill the memory."""
_CANCELLED = 0.01
"""Share of the channels' mean energy below which their mean lost the sound to opposite phases."""
_WRITTEN = {".wav": ("WAV", "PCM_16"), ".flac": ("FLAC", "PCM_16"), ".ogg": ("OGG", "VORBIS")}


def read(path: Path) -> Audio:
    """All of a file as mono sound at the file's own rate; AudioError in one sentence."""
    try:
        _refuse_non_file(path)
        channels, rate_hz = _read_soundfile(path)
    except soundfile.LibsndfileError:
        channels, rate_hz = _read_av(path)
    except OSError as error:
        raise AudioError(f"{path} cannot be read: {error.strerror or error}") from error

    return Audio(_checked(path, channels, rate_hz), rate_hz)


def write(audio: Audio, path: Path) -> None:
    """Write sound in the format of the file's suffix (.wav, .flac, .ogg); 16 bits a sample."""
    form, width = _form(path)
    encoded = io.BytesIO()
    soundfile.write(encoded, audio.samples, audio.rate_hz, format=form, subtype=width)

    try:
        with _appearing(path) as file:
            file.write(encoded.getbuffer())
    except OSError as error:
        raise _unwritable(path, error) from error


def check_writable(path: Path) -> None:
    """AudioError when `write` would fail for this path; tried before any work is done."""
    try:
        if path.is_dir():
            raise AudioError(
                f"{path} is a folder; name a file in it, for example {path / 'reply.wav'}"
            )

        _form(path)

        if not path.resolve().parent.is_dir():
            raise AudioError(
                f"{path} cannot be written: there is no folder {path.resolve().parent}"
            )

        part = _part(path.resolve())

        with part.open("xb"):
            part.unlink()
    except OSError as error:
        raise _unwritable(path, error) from error


def join(pieces: Sequence[Audio]) -> Audio:
    """Pieces of sound one after the other, at the rate of the first."""
    if not pieces:
        raise AudioError("there is no sound to join: the reply holds nothing that can be spoken")

    rate_hz = pieces[0].rate_hz
    begin_s = [0.0, *accumulate(piece.seconds for piece in pieces)]
    words = (
        word.moved(begin)
        for piece, begin in zip(pieces, begin_s, strict=False)
        for word in piece.words
    )
    samples = np.concatenate([resample(piece, rate_hz).samples for piece in pieces])
    return Audio(samples, rate_hz, tuple(words))


def _refuse_non_file(path: Path) -> None:
    if path.is_dir():
        raise AudioError(f"{path} is a folder; name an audio file in it")

    if not path.exists():
        raise AudioError(f"{path} does not exist; check the name of the audio file")

    if not path.is_file():
        raise AudioError(f"{path} is not a file; record the sound to a file first")

    if path.stat().st_size == 0:
        raise AudioError(f"{path} is empty; record it again")

    if path.suffix.lower() == ".raw":
        raise AudioError(f"{path} holds bare samples of unknown rate; put them into a WAV file")


def _read_soundfile(path: Path) -> tuple[Samples, int]:
    """Samples of shape (n, channels), and their rate."""
    with path.open("rb") as opened, soundfile.SoundFile(opened) as file:
        _refuse_long(path, file.frames / file.samplerate)
        # The count is named, because some codecs (GSM) cannot tell where their file ends.
        return file.read(file.frames, dtype="float32", always_2d=True), int(file.samplerate)


def _read_av(path: Path) -> tuple[Samples, int]:
    """The same for what soundfile cannot read: phone recordings (m4a), browser ones (webm)."""
    # Only here: most files never need it, and it takes a third of a second to import.
    import av

    try:
        with path.open("rb") as opened, av.open(opened, "r") as container:
            if not container.streams.audio:
                raise AudioError(f"{path} holds no sound; name an audio file")

            stream = container.streams.audio[0]
            rate_hz = int(stream.rate)
            resampler = av.AudioResampler(format="fltp", rate=rate_hz)
            blocks: list[Samples] = []
            count = 0

            for frame in (*container.decode(stream), None):
                for block in resampler.resample(frame):
                    blocks.append(np.asarray(block.to_ndarray().T, dtype=np.float32))
                    count += len(blocks[-1])
                    _refuse_long(path, count / rate_hz)
    except av.FFmpegError as error:
        raise AudioError(
            f"{path} is not an audio file that can be read (WAV, FLAC, OGG, MP3, M4A, WebM)"
        ) from error

    return np.concatenate(blocks or [np.zeros((0, 1), dtype=np.float32)]), rate_hz


def _refuse_long(path: Path, seconds: float) -> None:
    if seconds > LONGEST_S:
        raise AudioError(
            f"{path} is longer than {LONGEST_S / 60:.0f} minutes; cut it down to one question"
        )


def _checked(path: Path, channels: Samples, rate_hz: int) -> Samples:
    """Mono samples that keep rule 1."""
    if channels.size == 0:
        raise AudioError(f"{path} holds no samples; record it again")

    if len(channels) / rate_hz < SHORTEST_S:
        raise AudioError(
            f"{path} holds {1000 * len(channels) / rate_hz:.0f} ms of sound, too little for a"
            f" word (at least {1000 * SHORTEST_S:.0f} ms); record it again"
        )

    if not np.isfinite(channels).all():
        raise AudioError(
            f"{path} holds samples that are no numbers (NaN or infinite); export it again, best"
            " with 16 bits a sample"
        )

    mono = _mono(channels)
    peak = float(np.abs(mono).max())
    return mono / np.float32(peak) if peak > 1 else mono


def _mono(channels: Samples) -> Samples:
    """The mean of the channels; the loudest one where the mean would cancel them."""
    # In double width, because the sum of two huge samples overflows the single one.
    mean: Samples = channels.mean(axis=1, dtype=np.float64).astype(np.float32)
    energies = np.square(channels, dtype=np.float64).mean(axis=0)

    if np.square(mean, dtype=np.float64).mean() < _CANCELLED * energies.mean():
        return np.ascontiguousarray(channels[:, int(energies.argmax())])

    return mean


def _form(path: Path) -> tuple[str, str]:
    try:
        return _WRITTEN[path.suffix.lower()]
    except KeyError:
        raise AudioError(
            f"{path} cannot be written: name a file that ends in {', '.join(_WRITTEN)}"
        ) from None


def _part(target: Path) -> Path:
    return target.with_name(f".{target.name}.{os.getpid()}.part")


@contextlib.contextmanager
def _appearing(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which gets its name when all was written."""
    target = path.resolve()
    part = _part(target)

    try:
        # Not tempfile: its files are private to the user, whatever the user's mask says.
        with part.open("xb") as file:
            yield file

        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> AudioError:
    return AudioError(
        f"{path} cannot be written: {error.strerror or error}; choose another place with --out"
    )
