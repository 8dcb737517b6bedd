"""Measure the ears: words right, and how soon after the last sample of speech.

usage: scripts/bench_speech ears [--recordings DIR] [--repeats N] [--threads N] [--only TABLE ...]

A table of each: windows, stream, ends, echo, names, nothing. DIR has WAV files and a manifest.tsv
with the columns file and transcript. Alternatives take turns on the same recording, so that a busy
machine slows all of them; times on a busy machine are still too long.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import numpy as np
from bench_ears_scenes import ends, names, nothing, room
from ears_replay import RATE_HZ, Heard, Replay, in_a_room, speech_end_s
from word_errors import errors, words

from atonce.config import models
from atonce.config.load import defaults
from atonce.speech import audio_file
from atonce.speech.endpoint import EndpointRules
from atonce.speech.protocols import Audio, Samples, Transcript, always
from atonce.speech.resample import resample
from atonce.speech.silero import SileroDetector
from atonce.speech.whisper import WhisperTranscriber

RECORDINGS = Path(__file__).parents[1] / "tests" / "audio"
WINDOWS_S = (8.0, 10.0, 15.0, 30.0)
SHORT_S = 6.0
"""Utterances for which the goal of 350 ms holds."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One clip and what is said in it."""

    name: str
    samples: Samples
    said: list[str]


@dataclass(slots=True)
class Tally:
    """One line of a table."""

    wrong: int = 0
    words: int = 0
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def count(self, text: str, said: list[str]) -> None:
        """One more text."""
        self.wrong += errors(words(text), said)
        self.words += len(said)

    def line(self, name: str) -> str:
        """Errors, and median and p95 of every time in ms."""
        times = "  ".join(
            f"{what} {1000 * median(of):4.0f}/{1000 * float(np.percentile(of, 95)):4.0f}"
            for what, of in self.seconds.items()
            if of
        )
        share = ""

        if self.words:
            share = f"{100 * self.wrong / self.words:5.1f} % ({self.wrong} of {self.words})"

        return f"{name:34} {share:20} {times}"


def main(arguments: Sequence[str]) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="scripts/bench_speech ears", description=__doc__)
    tables: dict[str, Callable[[argparse.Namespace], None]] = {
        "windows": windows,
        "stream": stream,
        "ends": ends,
        "echo": room,
        "names": names,
        "nothing": nothing,
    }
    parser.add_argument("--recordings", type=Path, default=RECORDINGS, metavar="DIR")
    parser.add_argument("--repeats", type=int, default=3, metavar="N")
    parser.add_argument("--threads", type=int, default=0, metavar="N")
    parser.add_argument("--only", nargs="+", choices=tables, default=list(tables))
    args = parser.parse_args(arguments)
    models.ensure(["whisper-base", "joe"], say=print)

    for name in args.only:
        print(f"\n{name}: {tables[name].__doc__}")
        tables[name](args)

    return 0


def recordings(folder: Path) -> list[Recording]:
    """The clips of a folder that have words."""
    with (folder / "manifest.tsv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["transcript"]]

    return [
        Recording(
            row["file"],
            resample(audio_file.read(folder / row["file"]), RATE_HZ).samples,
            words(row["transcript"]),
        )
        for row in rows
    ]


def windows(args: argparse.Namespace) -> None:
    """whole recordings, by the shortest window. WER; decode median/p95 ms"""
    clips = recordings(args.recordings)
    folder = models.folder("whisper-base")
    plain = plain_whisper(args.threads)
    ears: dict[str, Callable[[Audio], Transcript]] = {
        f"window {window_s:.0f} s": WhisperTranscriber(
            folder, threads=args.threads, shortest_window_s=window_s
        ).transcribe
        for window_s in WINDOWS_S
    }
    ears["plain faster-whisper"] = plain
    tallies = {name: Tally() for name in ears}

    for repeat in range(args.repeats + 1):
        for clip in clips:
            for name, hear in ears.items():
                start = time.perf_counter()
                text = hear(Audio(clip.samples, RATE_HZ)).text

                if repeat:  # the first round is there to warm up
                    tallies[name].seconds["decode"].append(time.perf_counter() - start)
                    tallies[name].count(text, clip.said)

    show(tallies)


def plain_whisper(threads: int) -> Callable[[Audio], Transcript]:
    """faster-whisper as its README calls it, but for the language, which is told."""
    from faster_whisper import WhisperModel

    model = WhisperModel(
        str(models.folder("whisper-base")), device="cpu", compute_type="int8", cpu_threads=threads
    )

    def hear(audio: Audio) -> Transcript:
        segments, _ = model.transcribe(audio.samples, language="en")
        return Transcript(" ".join(segment.text.strip() for segment in segments))

    return hear


def stream(args: argparse.Namespace) -> None:
    """as from a microphone. WER; median/p95 ms after the last sample, and of a decode"""
    clips = recordings(args.recordings)
    rules = EndpointRules.from_settings(defaults().settings.endpoint)
    whisper = WhisperTranscriber(models.folder("whisper-base"), threads=args.threads)
    plain = _Plain(plain_whisper(args.threads))
    detector = SileroDetector()
    ways = {
        "transcripts while one speaks": Replay(detector, whisper, rules),
        "transcript at the endpoint": Replay(detector, whisper, rules, is_partial=False),
        "plain faster-whisper": Replay(detector, plain, rules, is_partial=False),
    }
    tallies = {name: Tally() for name in ways}
    short = {name: Tally() for name in ways}
    settled = Tally()

    for repeat in range(args.repeats + 1):
        for clip in clips:
            # A different beginning every time: the frames fall elsewhere.
            sound = in_a_room(clip.samples, seed=repeat, lead_s=0.5 + 0.011 * repeat)
            end_s = min(speech_end_s(sound), last_voice_s(detector, sound))

            for name, way in ways.items():
                heard = way.play(sound)

                if repeat:
                    tallies[name].count(heard.text, clip.said)
                    _note(tallies[name], heard, end_s)

                    if len(clip.samples) <= SHORT_S * RATE_HZ:
                        _note(short[name], heard, end_s)

                    if way is ways["transcripts while one speaks"]:
                        _note_settled(settled, heard)

    show(tallies)
    print(f"utterances up to {SHORT_S:.0f} s")
    show(short)
    print(f"settled words that the final transcript changed: {settled.wrong} of {settled.words}")


class _Plain:
    """Plain faster-whisper behind our protocol."""

    languages = ("en",)

    def __init__(self, hear: Callable[[Audio], Transcript]) -> None:
        self._hear = hear

    def expect(self, names: Sequence[str]) -> None:
        """It is plain."""

    def transcribe(
        self,
        audio: Audio,
        *,
        is_final: bool = True,  # noqa: ARG002
        is_wanted: Callable[[], bool] = always,  # noqa: ARG002
    ) -> Transcript:
        """As it comes."""
        return self._hear(audio)


def _note(tally: Tally, heard: Heard, end_s: float) -> None:
    endpoint_s = heard.ended[-1].at_s if heard.ended else end_s
    tally.seconds["transcript"].append(heard.final_s - end_s)
    tally.seconds["endpoint"].append(endpoint_s - end_s)
    tally.seconds["both"].append(max(heard.final_s, endpoint_s) - end_s)
    tally.seconds["decode"].append(heard.decode_s)


def _note_settled(tally: Tally, heard: Heard) -> None:
    final = words(heard.text)

    for partial in heard.partials:
        if not partial.is_pause:
            before = words(" ".join(partial.text.split()[: partial.settled]))
            tally.words += len(before)
            tally.wrong += sum(one != other for one, other in zip(before, final, strict=False))


def last_voice_s(detector: SileroDetector, sound: Samples) -> float:
    """The end of the last frame that the voice detector takes for a voice."""
    detector.reset()
    size = detector.frame_samples
    ends = [
        (first + size) / RATE_HZ
        for first in range(0, len(sound) - size, size)
        if detector.probability(sound[first : first + size]) >= 0.5
    ]
    return ends[-1] if ends else 0.0


def show(tallies: dict[str, Tally]) -> None:
    """The lines of a table."""
    for name, tally in tallies.items():
        print(tally.line(name))
