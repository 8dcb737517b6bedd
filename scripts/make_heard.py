#!/usr/bin/env python3
"""Say questions of the scenario packs aloud and write down what Whisper makes of them.

usage: make_heard.py [--packs corpus/train] [--count 600] [--minutes 15]

Every question is spoken by Piper, faster or slower, higher or lower, mixed with noise and now and
then cut down to a telephone's band. What was heard goes to corpus/heard.<folder>.yaml, values put
back as slots; null where a value was misheard, or where hardly a word of a training question is
left (then it is no question with a right reply any more). It can be stopped at any time: what is
in the file is not heard again, and the questions come in an order that takes from every pack.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from itertools import zip_longest
from pathlib import Path
from random import Random

import numpy as np
import yaml
from piper import PiperVoice, SynthesisConfig

from atonce.config import models
from atonce.llm.corpus import SLOT, Pack, draw_scene, fill, load_packs
from atonce.llm.heard import heard_file
from atonce.speech.protocols import Audio, Samples
from atonce.speech.spoken import speakable
from atonce.speech.whisper import WhisperTranscriber

ROOT = Path(__file__).resolve().parent.parent
SAVE_EVERY = 20
PACE = (0.9, 1.25)  # of the length of every sound
PITCH = (0.9, 1.1)  # by playing faster or slower, which changes the pace as well
NOISE_DB = (15.0, 40.0)  # how far the noise lies below the speech
TELEPHONE = 0.3  # share that is cut down to 300 to 3400 Hz
ALIKE = 0.6  # of the letters: less of a question is none
LOOSE = {":00": "(?::00)?", "am": r"a\.?m\b\.?", "pm": r"p\.?m\b\.?"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--packs", type=Path, default=ROOT / "corpus" / "train")
    parser.add_argument("--count", type=int, default=600, help="questions in the file at the end")
    parser.add_argument("--minutes", type=float, default=15.0, help="stop after so long")
    args = parser.parse_args()
    packs = load_packs(args.packs)
    target = heard_file(args.packs)
    heard = so_far(target)
    voice = PiperVoice.load(voice_file())
    ears = WhisperTranscriber(models.folder("whisper-base"), threads=1)
    end = time.monotonic() + 60 * args.minutes

    for number, (pack, ask) in enumerate(questions(packs)):
        if number >= args.count or time.monotonic() > end:
            break

        if ask in heard.get(pack.name, {}):
            continue

        is_training = args.packs.name == "train"
        heard.setdefault(pack.name, {})[ask] = hear(pack, ask, voice, ears, is_training=is_training)
        print(f"{number + 1:4} {pack.name}: {ask}\n     → {heard[pack.name][ask]}", flush=True)

        if number % SAVE_EVERY == 0:
            save(target, heard)

    save(target, heard)


def so_far(target: Path) -> dict[str, dict[str, str | None]]:
    """What stands in the file already."""
    if not target.exists():
        return {}

    found: dict[str, dict[str, str | None]] = yaml.safe_load(target.read_text("utf-8"))
    return found


def voice_file() -> Path:
    """The one voice of the model store."""
    return next(models.folder("joe").glob("*.onnx"))


def questions(packs: tuple[Pack, ...]) -> Iterator[tuple[Pack, str]]:
    """Every question: the first of each pack, the second of each pack, …"""
    asked = []
    for pack in packs:
        asks = [ask for dialogue in pack.dialogues for turn in dialogue for ask in turn.asks]
        asks = list(dict.fromkeys(asks))
        Random(pack.name).shuffle(asks)
        asked.append([(pack, ask) for ask in asks])

    for round_of_all in zip_longest(*asked):
        yield from (pair for pair in round_of_all if pair)


def hear(
    pack: Pack, ask: str, voice: PiperVoice, ears: WhisperTranscriber, *, is_training: bool
) -> str | None:
    """What is heard of a question, its values as slots again; None where it is lost."""
    dice = Random(f"{pack.name} {ask}")
    values = draw_scene(pack, dice).values
    asked = fill(ask, values)
    text = ears.transcribe(spoken_in_a_room(asked, voice, dice)).text
    if is_training and SequenceMatcher(None, letters(asked), letters(text)).ratio() < ALIKE:
        return None

    for slot in dict.fromkeys(SLOT.findall(ask)):
        text, found = as_written(values[slot]).subn(f"{{{slot}}}", text)
        if found != ask.count(f"{{{slot}}}"):
            return None

    return text or None


def letters(text: str) -> str:
    """Letters and digits alone."""
    return "".join(character for character in text.lower() if character.isalnum())


def as_written(value: str) -> re.Pattern[str]:
    """A value in the ways in which Whisper writes it: "9:00 am" is "9 a.m." as well."""
    parts = re.findall(r":00\b|[ap]m\b|[a-z$%]+|\d", value.lower())
    loose = [LOOSE.get(part, re.escape(part)) for part in parts]
    return re.compile(r"(?<!\w)" + r"[\s,.:'-]*".join(loose), re.IGNORECASE)


def spoken_in_a_room(text: str, voice: PiperVoice, dice: Random) -> Audio:
    """The question as a microphone may give it."""
    settings = SynthesisConfig(
        length_scale=dice.uniform(*PACE),
        noise_scale=dice.uniform(0.5, 1.0),
        noise_w_scale=dice.uniform(0.6, 1.0),
    )
    chunks = [chunk.audio_float_array for chunk in voice.synthesize(speakable(text), settings)]
    speech = np.concatenate(chunks)
    rate_hz = round(voice.config.sample_rate * dice.uniform(*PITCH))
    around = np.zeros(rate_hz // 2, np.float32)
    sound = np.concatenate([around, speech * 0.5 / np.abs(speech).max(), around])
    level = float(np.sqrt(np.mean(np.square(speech)))) * 10 ** (-dice.uniform(*NOISE_DB) / 20)
    sound = sound + pink(len(sound), dice.randrange(2**32)) * level
    if dice.random() < TELEPHONE:
        sound = in_band(sound, rate_hz)

    return Audio(sound.astype(np.float32), rate_hz)


def pink(length: int, seed: int) -> Samples:
    """Noise of level 1 that falls by 3 dB an octave, as in rooms."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=length))
    spectrum /= np.sqrt(np.maximum(1, np.arange(len(spectrum))))
    noise = np.fft.irfft(spectrum, length)
    return np.asarray(noise / noise.std(), np.float32)


def in_band(sound: Samples, rate_hz: int) -> Samples:
    """What a telephone lets through."""
    spectrum = np.fft.rfft(sound)
    hertz = np.fft.rfftfreq(len(sound), 1 / rate_hz)
    spectrum[(hertz < 300) | (hertz > 3400)] = 0
    return np.asarray(np.fft.irfft(spectrum, len(sound)), np.float32)


def save(target: Path, heard: Mapping[str, Mapping[str, str | None]]) -> None:
    """Write the whole file beside and rename it."""
    part = target.with_suffix(".part")
    head = (
        "# Made by scripts/make_heard.py: question as written → what Whisper heard; null: lost.\n"
    )
    text = yaml.safe_dump(
        dict(sorted(heard.items())), sort_keys=False, allow_unicode=True, width=1000
    )
    part.write_text(head + text, encoding="utf-8")
    part.replace(target)


if __name__ == "__main__":
    main()
