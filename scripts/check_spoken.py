#!/usr/bin/env python3
"""Hear whether the voice says what tests/data/spoken.tsv wants: speak, transcribe, compare.

usage: check_spoken.py [--kind money] [--table tests/data/spoken.tsv]

Every spoken form is given to Piper, the sound to Whisper, and the transcript is itself put into
spoken words, so that "$14.50" and "fourteen dollars fifty" are the same. A pair is heard right when
the words that are said otherwise than they are written are heard, letter for letter; the words
around them count apart. What is not heard right is printed; a person judges whether text, voice or
ears are to blame.
"""

from __future__ import annotations

import argparse
import csv
import re
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import onnxruntime

from atonce.config.load import defaults
from atonce.speech.audio_file import join
from atonce.speech.piper import PiperSynthesizer
from atonce.speech.spoken import Spoken, speak, speakable
from atonce.speech.whisper import WhisperTranscriber

TABLE = Path(__file__).resolve().parent.parent / "tests" / "data" / "spoken.tsv"
# What sounds the same, or is written in two ways, as Whisper hears it.
ALIKE = {"oh": "zero", "okay": "ok", "miz": "miss", "missus": "mrs", "an": "a"}


@dataclass(frozen=True)
class Pair:
    """One row of the table."""

    kind: str
    written: str
    spoken: str


def read(table: Path) -> list[Pair]:
    """The rows of the table; a line break in a cell is written as \\n."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [
            Pair(row["kind"], row["written"].replace("\\n", "\n"), row["spoken"]) for row in rows
        ]


def letters(text: str) -> str:
    """The letters of a text as it is said: case, marks, blanks and hyphens do not sound."""
    return bare(speakable(text))


def bare(text: str) -> str:
    """The letters of a text without what does not sound."""
    words = text.lower().replace("-", " ").split()
    alone = ("".join(filter(str.isalnum, word)) for word in words)
    return "".join(ALIKE.get(word, word) for word in alone)


def rewritten(spoken: Spoken) -> list[str]:
    """The stretches of words that are said otherwise than they are written."""
    runs: list[list[str]] = [[]]

    for word in spoken.words:
        if letters(word.text) == bare(spoken.written[word.start : word.end]):
            runs.append([])
        else:
            runs[-1].append(word.text)

    return [" ".join(run) for run in runs if run]


def digits(run: str) -> str:
    """zero one four two → 0142, as ears may write it down without a gap; else the words."""
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    words = re.findall(r"\w+", run)
    return "".join(str(names.index(word)) if word in names else f" {word} " for word in words)


def is_heard(spoken: Spoken, heard: str) -> bool:
    """Whether the words that are said otherwise are heard, in order; all, if there are none."""
    rest, runs = letters(heard), rewritten(spoken)

    for run in runs:
        _, found, rest_behind = rest.partition(letters(run))

        if found:
            rest = rest_behind
        elif digits(run) not in re.sub(r"\W", "", heard):
            return False

    return bool(runs) or letters(heard) == letters(spoken.text)


def main() -> None:
    """Check the table and print what is heard."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", help="only pairs of this kind")
    parser.add_argument("--table", type=Path, default=TABLE)
    arguments = parser.parse_args()

    onnxruntime.set_seed(1)  # the voice draws its melody at random
    settings = defaults(["transcriber.threads=1"]).settings
    voice = PiperSynthesizer.from_settings(settings.synthesizer)
    ears = WhisperTranscriber.from_settings(settings.transcriber)
    pairs = [pair for pair in read(arguments.table) if arguments.kind in (None, pair.kind)]
    right: Counter[str] = Counter()
    whole = 0
    began_s = time.monotonic()

    for pair in pairs:
        spoken = speak(pair.written)
        heard = ears.transcribe(join(list(voice.synthesize(spoken.text)))).text
        whole += letters(heard) == letters(spoken.text)

        if is_heard(spoken, heard):
            right[pair.kind] += 1
        else:
            print(f"{pair.kind}\n  spoken  {spoken.text}\n  heard   {heard}", flush=True)

    total = Counter(pair.kind for pair in pairs)
    print("\n" + ", ".join(f"{kind} {right[kind]}/{total[kind]}" for kind in total))
    seconds = time.monotonic() - began_s
    print(f"heard right: {right.total()} of {len(pairs)}, with every word around: {whole}")
    print(f"in {seconds:.0f} s")


if __name__ == "__main__":
    main()
