"""Measure the mouth: first sound, speed and gaps by length of sentence and engine; plain piper too.

usage: scripts/bench_speech voice [--rounds N] [--engines A,B] [--busy] [--listen] [--cuts N]

All engines take turns in one process, so that a busy machine is equally unfair to all of them.
first sound: from the call to the first sample above -50 dBFS, silence at the start included; in
brackets the time that the processor worked for it in the caller's thread (plain piper has more).
underruns: pieces that were not ready when the sound before them had been played.
--busy: meanwhile another thread transcribes all the time, as a heavy call beside the voice does.
--listen: every engine's sentences are transcribed back; level, peak, pause and joins are measured.
--cuts N: sound is cut at N moments, and the words heard are compared with the words foretold.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
from word_errors import errors, words

from atonce.config import models
from atonce.config.load import defaults
from atonce.config.registry import find
from atonce.speech.audio_file import join
from atonce.speech.levels import STILL, active_level_db
from atonce.speech.protocols import Audio
from atonce.speech.word_times import heard_words

TEXTS = {
    1: "Sure.",
    5: "The garden is open today.",
    10: "The museum is open from ten to five on Fridays.",
    20: (
        "A ticket for two people is on the second floor, next to the stairs, and it costs nine"
        " dollars for all."
    ),
    31: (
        "A ticket for two people is on the second floor, next to the stairs, and the garden behind"
        " the main hall is open until the sun goes down at eight in the evening."
    ),
}
"""One sentence of so many words."""
SPOKEN = (
    "The garden is behind the main hall.",
    "A guided tour starts at the fountain in the courtyard.",
    "Lockers are behind the ticket desk, next to the stairs.",
    "Dogs are not allowed in the museum, except assistance dogs.",
    "The pottery workshop is on the second floor of the building.",
    "Please ask a member of staff at the front desk.",
    "Photography is allowed without flash, but not in the exhibition.",
    "The cafe is on the first floor, and it has a terrace.",
    "A lift goes to all floors, and wheelchairs are lent for free.",
    "The great loom is shown at work every morning.",
)
"""Sentences without numbers, which can be written in one way only."""
ENGINES = ("plain piper", "piper-whole", "piper", "hibari")
Speak = Callable[[str], Iterable[Audio]]


@dataclass(frozen=True, slots=True)
class Run:
    """One sentence spoken once."""

    first_s: float
    """Until the first sound."""
    computed_s: float
    """The same, in time that the processor worked for it: near first_s on an idle machine. Only for
    engines that work in the thread that calls them."""
    total_s: float
    """Until the last sample was there."""
    audio_s: float
    """Length of the sound."""
    underruns: int
    """Pieces that came late."""


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    options = _options(arguments)
    engines = {name: engine(name) for name in options.engines.split(",")}

    with transcribing() if options.busy else nullcontext():
        print(speed_table(engines, options.rounds))

    if options.listen:
        print(sound_table(engines))

    if options.cuts:
        print(cut_report(engines, options.cuts))

    return 0


def engine(name: str) -> Speak:
    """An engine by its name in the settings; plain piper as its own documentation uses it."""
    if name == "plain piper":
        return _plain_piper()

    models.ensure(["joe"], say=print)
    settings = defaults([f"synthesizer.engine={name}"]).settings.synthesizer
    speak: Speak = find("synthesizer", name).from_settings(settings).synthesize
    return speak


@contextmanager
def transcribing() -> Iterator[None]:
    """A thread that transcribes all the time, with the threads that the settings give it."""
    ears, done = _ears(), threading.Event()
    spoken = join(list(engine("hibari")(SPOKEN[0])))

    def work() -> None:
        while not done.is_set():
            ears(spoken)

    thread = threading.Thread(target=work, name="hearing")
    thread.start()

    try:
        yield
    finally:
        done.set()
        thread.join()


def timed(speak: Speak, text: str) -> Run:
    """Speak a text, with a player that starts at the first sample."""
    begun_s, worked_s = time.perf_counter(), time.thread_time()
    first_s = computed_s = runs_out_s = total_s = audio_s = 0.0
    underruns = 0

    for number, piece in enumerate(speak(text)):
        total_s = time.perf_counter() - begun_s

        if number == 0:
            first_s, runs_out_s = total_s + lead_s(piece), total_s
            computed_s = time.thread_time() - worked_s + lead_s(piece)
        elif total_s > runs_out_s:
            underruns, runs_out_s = underruns + 1, total_s

        runs_out_s += piece.seconds
        audio_s += piece.seconds

    return Run(first_s, computed_s, total_s, audio_s, underruns)


def lead_s(audio: Audio) -> float:
    """Seconds of stillness at the start."""
    return float(np.argmax(np.abs(audio.samples) > STILL)) / audio.rate_hz


def measured(
    engines: dict[str, Speak], texts: Sequence[str], rounds: int
) -> dict[tuple[str, str], list[Run]]:
    """Every engine with every text, by turns; the first round warms up and does not count."""
    found: dict[tuple[str, str], list[Run]] = {}

    for number in range(rounds + 1):
        for text in texts:
            for name, speak in engines.items():
                run = timed(speak, text)

                if number:
                    found.setdefault((name, text), []).append(run)

    return found


def speed_table(engines: dict[str, Speak], rounds: int) -> str:
    """First sound, real-time factor and underruns by words and engine."""
    found = measured(engines, list(TEXTS.values()), rounds)
    lines = [
        f"first sound ms, median/p95 (processor time) · time/sound · underruns in {rounds} runs"
    ]
    lines.append(f"{'words':>5}" + "".join(f"{name:>28}" for name in engines))

    for count, text in TEXTS.items():
        cells = (_cell(found[name, text]) for name in engines)
        lines.append(f"{count:>5}" + "".join(f"{cell:>28}" for cell in cells))

    return "\n".join(lines)


def sound_table(engines: dict[str, Speak]) -> str:
    """What each engine sounds like, by numbers."""
    ears = _ears()
    lines = ["", f"{'engine':<12}  words wrong  level dBFS min/max  peak  lead ms  tail ms  join"]

    for name, speak in engines.items():
        spoken = [list(speak(text)) for text in SPOKEN]
        whole = [join(pieces) for pieces in spoken]
        wrong = sum(
            errors(words(ears(audio)), words(text))
            for audio, text in zip(whole, SPOKEN, strict=True)
        )
        count = sum(len(words(text)) for text in SPOKEN)
        levels = [active_level_db(audio.samples, audio.rate_hz) for audio in whole]
        peak = max(float(np.abs(audio.samples).max()) for audio in whole)
        leads = median(1000 * lead_s(audio) for audio in whole)
        tails = median(1000 * lead_s(Audio(audio.samples[::-1], audio.rate_hz)) for audio in whole)
        jump = max(join_jump(pieces) for pieces in spoken)
        lines.append(
            f"{name:<12}  {wrong:>4} of {count:<4}  {min(levels):>7.1f} /{max(levels):>6.1f}"
            f"  {peak:>8.2f}  {leads:>6.0f}  {tails:>7.0f}  {jump:>5.2f}"
        )

    lines.append("join: largest step between two pieces, as a share of the largest inside one")
    return "\n".join(lines)


def join_jump(pieces: Sequence[Audio]) -> float:
    """The largest step of the signal at a join, over the largest one anywhere else; above 1 is
    a click."""
    inside = max(float(np.abs(np.diff(piece.samples)).max()) for piece in pieces)
    joins = [
        abs(float(after.samples[0] - before.samples[-1])) for before, after in pairwise(pieces)
    ]
    return max(joins, default=0.0) / inside


def cut_report(engines: dict[str, Speak], cuts: int) -> str:
    """How well the words that were heard are known when playback is cut."""
    ears, lines = _ears(), ["", "words foretold minus words transcribed, at cuts:"]
    moments = np.random.default_rng(0).uniform(0.25, 0.9, cuts)

    for name, speak in engines.items():
        if name == "plain piper":
            continue

        misses = [
            cut_error(list(speak(SPOKEN[number % len(SPOKEN)])), share, ears)
            for number, share in enumerate(moments)
        ]
        within = sum(abs(miss) <= 1 for miss in misses)
        lines.append(f"{name:<12}  within one word: {within} of {cuts}   {sorted(misses)}")

    return "\n".join(lines)


def cut_error(pieces: Sequence[Audio], share: float, ears: Callable[[Audio], str]) -> int:
    """Words foretold minus words transcribed of a sentence that is cut at this share of it."""
    whole = join(pieces)
    seconds = share * whole.seconds
    heard = Audio(whole.samples[: round(seconds * whole.rate_hz)], whole.rate_hz)
    return len(heard_words(pieces, seconds)) - len(words(ears(heard)))


def _plain_piper() -> Speak:
    from piper import PiperVoice

    models.ensure(["joe"], say=print)
    voice = PiperVoice.load(next(Path(models.folder("joe")).glob("*.onnx")))

    def speak(text: str) -> Iterator[Audio]:
        for chunk in voice.synthesize(text):
            yield Audio(chunk.audio_float_array, chunk.sample_rate)

    return speak


def _ears() -> Callable[[Audio], str]:
    from atonce.speech.whisper import WhisperTranscriber

    models.ensure(["whisper-base"], say=print)
    transcriber = WhisperTranscriber.from_settings(defaults().settings.transcriber)
    return lambda audio: transcriber.transcribe(audio).text


def _cell(runs: Sequence[Run]) -> str:
    firsts = sorted(1000 * run.first_s for run in runs)
    factor = sum(run.total_s for run in runs) / sum(run.audio_s for run in runs)
    late = sum(run.underruns for run in runs)
    slow = firsts[round(0.95 * (len(firsts) - 1))]
    worked = 1000 * median(run.computed_s for run in runs)
    return f"{median(firsts):.0f}/{slow:.0f} ({worked:.0f}) · {factor:.2f} · {late}"


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench_speech voice", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="times each sentence is spoken")
    parser.add_argument("--engines", default=",".join(ENGINES), help="which, with commas")
    parser.add_argument("--busy", action="store_true", help="with a transcriber beside the voice")
    parser.add_argument("--listen", action="store_true", help="transcribe back, measure the sound")
    parser.add_argument("--cuts", type=int, default=0, help="moments to cut at, for word times")
    return parser.parse_args(arguments)
