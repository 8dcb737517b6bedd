"""Scenes for the benchmark of the ears: pauses, echo, names, and sound in which nobody speaks."""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from statistics import mean, median
from time import process_time

import numpy as np
from ears_replay import RATE_HZ, Judge, Replay, by_words, in_a_room
from word_errors import errors, words

from atonce.config import models
from atonce.speech import audio_file
from atonce.speech.echo import WebRtcCanceller
from atonce.speech.endpoint import Completeness, EndpointRules
from atonce.speech.fakes import FakeTranscriber
from atonce.speech.noise_floor import level_db
from atonce.speech.piper import PiperSynthesizer
from atonce.speech.protocols import Audio, Samples
from atonce.speech.resample import resample
from atonce.speech.silero import SileroDetector
from atonce.speech.smart_turn import SmartTurn
from atonce.speech.turn_end import completeness
from atonce.speech.whisper import WhisperTranscriber

RECORDINGS = Path(__file__).parents[1] / "tests" / "audio"
PAUSE_S = 0.7
"""Inside a thought; people take 0.2 to 1 s to find a word or to read a digit."""
BROKEN = (
    ("My number is 5 5 5", "0 1 7 4."),
    ("The code is B 27", "and 9."),
    ("I would like to", "book two tickets for Friday."),
    ("Can I go to the", "second floor with a wheelchair?"),
    ("When does the tour start and", "how long does it take?"),
    ("Is the museum open on", "Tuesday?"),
    ("I am looking for the", "great loom."),
    ("Do you have a", "family ticket?"),
    ("How much is a ticket for", "two adults and one child?"),
    ("We are two adults and", "three children."),
    ("Where can I", "leave my bag?"),
    ("My son is seven and he", "wants to see the loom."),
    ("Could you tell me", "when you close?"),
    ("I have a question about", "the pottery workshop."),
    ("What time does the", "cafe close today?"),
    ("Please call 0 4 4", "1 2 8 5."),
)
WHOLE = (
    "When do you open on Friday?",
    "How much is an adult ticket?",
    "Where is the great loom?",
    "Is there a cafe?",
    "Can I take photos in the exhibition?",
    "What is the special exhibition called?",
    "How long does the guided tour take?",
    "Where can I park my car?",
    "Two tickets for Friday, please.",
    "Thank you very much.",
    "I have lost my bag.",
    "We would like to see the loom.",
)
NAMES = ("Larchmont Museum of Crafts", "Walnut Room", "Quillan Lane", "Threads of Silver")
WITH_NAMES = (
    "Where is the Walnut Room?",
    "How do I get to Quillan Lane?",
    "Is Threads of Silver free?",
    "Is this the Larchmont Museum of Crafts?",
    "When does the Walnut Room close?",
    "Can I park in Quillan Lane?",
)


def spoken(text: str, voice: PiperSynthesizer) -> Samples:
    """A sentence by the agent's own voice, without the silence around it."""
    sound = resample(audio_file.join(list(voice.synthesize(text))), RATE_HZ).samples
    loud = np.flatnonzero(np.abs(sound) > 0.01)
    return sound[loud[0] : loud[-1]]


def ends(args: argparse.Namespace) -> None:
    """thoughts with a pause of 0.7 s inside, and whole ones. False ends; silence before the end"""
    voice = PiperSynthesizer(models.folder("joe"))
    # One thread and its time alone: on a busy machine late transcripts would decide everything.
    whisper = WhisperTranscriber(models.folder("whisper-base"), threads=1)
    whisper.transcribe(Audio(spoken(WHOLE[0], voice), RATE_HZ))  # the first time is slower
    ways = _ways_to_end(whisper)
    false_ends, waits = Counter[str](), defaultdict[str, list[float]](list)

    for _ in range(args.repeats):  # the voice draws its melody anew each time
        broken = [_with_a_pause(first, rest, voice) for first, rest in BROKEN]
        whole = [in_a_room(spoken(text, voice), seed=2) for text in WHOLE]

        for name, way in ways.items():
            false_ends[name] += sum(len(way.play(sound).ended) > 1 for sound in broken)
            ended = [way.play(sound).ended[-1] for sound in whole]
            waits[name] += [last.at_s - last.speech_end_s for last in ended]

    for name in ways:
        print(
            f"{name:38} {false_ends[name]:3} of {len(BROKEN) * args.repeats} false ends   silence"
            f" median {1000 * median(waits[name]):.0f}, mean {1000 * mean(waits[name]):.0f} ms"
        )


def _with_a_pause(first: str, rest: str, voice: PiperSynthesizer) -> Samples:
    gap = np.zeros(int(PAUSE_S * RATE_HZ), dtype=np.float32)
    return in_a_room(np.concatenate([spoken(first, voice), gap, spoken(rest, voice)]), seed=1)


def _ways_to_end(whisper: WhisperTranscriber) -> dict[str, Replay]:
    judges: dict[str, Judge] = {
        "by the words: 200, 500, 1000 ms": by_words,
        **_judges_with_smart_turn(),
    }
    ways = {
        name: Replay(SileroDetector(), whisper, EndpointRules(), judge=judge, clock=process_time)
        for name, judge in judges.items()
    }

    for fixed_s in (0.2, 0.5, 1.0):
        fixed = EndpointRules(complete_s=fixed_s, unsure_s=fixed_s, incomplete_s=fixed_s)
        # What is said does not matter here.
        deaf = FakeTranscriber()
        ways[f"always {1000 * fixed_s:.0f} ms"] = Replay(SileroDetector(), deaf, fixed)

    return ways


def _judges_with_smart_turn() -> dict[str, Judge]:
    """Ways of asking it; what it takes counts as time of the transcript."""
    models.ensure(["smart-turn"], say=print)
    smart_turn = SmartTurn(models.folder("smart-turn"))

    def by_sound(text: str, sound: Audio) -> Completeness:  # noqa: ARG001
        return "complete" if smart_turn.finished(sound) >= 0.5 else "incomplete"

    def where_unsure(text: str, sound: Audio) -> Completeness:
        by_text = completeness(text)
        return by_sound(text, sound) if by_text == "unsure" else by_text

    def where_both_agree(text: str, sound: Audio) -> Completeness:
        by_text = completeness(text)
        return by_text if by_text == "incomplete" or by_sound(text, sound) == by_text else "unsure"

    return {
        "Smart Turn alone": by_sound,
        "Smart Turn where the words are unsure": where_unsure,
        "complete where both say so": where_both_agree,
    }


def room(args: argparse.Namespace) -> None:
    """own voice at -12 dB, by its delay. How much weaker it becomes; words of a person over it"""
    whisper = WhisperTranscriber(models.folder("whisper-base"), threads=args.threads)
    voice = PiperSynthesizer(models.folder("joe"))
    agent = spoken("The guided tour starts at the fountain and lasts fifty minutes.", voice)
    played = np.tile(agent, 5)[: 12 * RATE_HZ]
    said = audio_file.read(RECORDINGS / "ast_not_in_service.wav").samples
    wanted = words("the number you have dialed is not in service please check the number")
    person = np.zeros_like(played)
    person[6 * RATE_HZ : 6 * RATE_HZ + len(said)] = 0.5 * said

    for delay_ms in (20, 60, 150, 250, 400, 1200):
        echo = _echo(played, delay_ms=delay_ms, gain_db=-12)
        left, freed = _cancelled(echo, played), _cancelled(echo + person, played)
        weaker = [
            level_db(echo[a * RATE_HZ : b * RATE_HZ]) - level_db(left[a * RATE_HZ : b * RATE_HZ])
            for a, b in ((0, 1), (1, 3), (3, 6))
        ]
        talk = slice(round(5.5 * RATE_HZ), round(6.5 * RATE_HZ) + len(said))
        raw = whisper.transcribe(Audio((echo + person)[talk], RATE_HZ)).text
        heard = whisper.transcribe(Audio(freed[talk], RATE_HZ)).text
        alone = whisper.transcribe(Audio(left[3 * RATE_HZ :], RATE_HZ)).text
        print(
            f"delay {delay_ms:4} ms  weaker by {weaker[0]:.0f} (first second), {weaker[1]:.0f},"
            f" {weaker[2]:.0f} dB (from 3 s)  wrong words over the echo"
            f" {_wrong(heard, wanted)} of {len(wanted)} (not cancelled: {_wrong(raw, wanted)})"
            f"  echo alone is heard as {alone!r}"
        )


def names(args: argparse.Namespace) -> None:
    """sentences with names of the default facts. Wrong words without and with the names told"""
    voice = PiperSynthesizer(models.folder("joe"))
    whisper = WhisperTranscriber(models.folder("whisper-base"), threads=args.threads)
    sounds = [Audio(spoken(text, voice), RATE_HZ) for text in WITH_NAMES]

    for told in ((), NAMES):
        whisper.expect(told)
        heard = [whisper.transcribe(sound).text for sound in sounds]
        wrong = sum(
            errors(words(text), words(said)) for text, said in zip(heard, WITH_NAMES, strict=True)
        )
        total = sum(len(words(said)) for said in WITH_NAMES)
        print(f"{len(told)} names told: {wrong} of {total} words wrong; {' / '.join(heard)}")


def nothing(args: argparse.Namespace) -> None:
    """sound in which nobody speaks, 10 s each, loud and quiet. Utterances, and words"""
    whisper = WhisperTranscriber(models.folder("whisper-base"), threads=args.threads)
    whisper.expect(NAMES)
    detector = SileroDetector()

    for name, sound in _noises().items():
        for gain_db in (0, -20, -40):
            samples = (10 ** (gain_db / 20) * sound).astype(np.float32)
            heard = Replay(detector, whisper, EndpointRules()).play(samples)
            text = whisper.transcribe(Audio(samples, RATE_HZ)).text
            print(
                f"{name:12} {level_db(samples):4.0f} dBFS  {len(heard.ended)} utterances"
                f" {heard.text!r}, read whole {text!r}"
            )


def _noises() -> Mapping[str, Samples]:
    random = np.random.default_rng(0)
    times = np.arange(10 * RATE_HZ) / RATE_HZ
    white = random.standard_normal(len(times))
    rumble = np.cumsum(white) - np.convolve(np.cumsum(white), np.full(400, 1 / 400), mode="same")
    fan = rumble / np.abs(rumble).max() * (1 + 0.3 * np.sin(2 * np.pi * 13 * times))
    clicks = np.zeros(len(times))
    clicks[RATE_HZ // 2 :: RATE_HZ] = 1.0
    knocks = np.convolve(clicks, white[:800] * np.exp(-np.arange(800) / 100), mode="same")
    hum = sum(np.sin(2 * np.pi * 50 * k * times) / k for k in (1, 2, 3))
    tune = np.zeros(len(times))

    for count, hz in enumerate((262, 330, 392, 523, 440, 349, 294, 392) * 4):
        first = int(0.3 * count * RATE_HZ)
        length = len(tune[first : first + int(0.28 * RATE_HZ)])
        note = sum(np.sin(2 * np.pi * hz * k * times[:length]) / k for k in (1, 2, 3, 4))
        tune[first : first + length] += note * np.exp(-3 * times[:length])

    sounds = {
        "silence": 0 * times,
        "white noise": 0.1 * white,
        "hum": 0.2 * np.asarray(hum),
        "fan": 0.3 * fan,
        "clicks": clicks,
        "knocks": 0.3 * knocks,
        "tune": 0.2 * tune,
    }
    return {name: np.clip(sound, -1, 1).astype(np.float32) for name, sound in sounds.items()}


def _echo(played: Samples, *, delay_ms: int, gain_db: float) -> Samples:
    """What the microphone hears of it in a small room (0.2 s until it is still)."""
    random = np.random.default_rng(1)
    tail = random.standard_normal(RATE_HZ // 5) * np.exp(-np.arange(RATE_HZ // 5) / 500)
    tail[0] = 6.0
    answer = np.concatenate([np.zeros(delay_ms * RATE_HZ // 1000), tail])
    heard = np.convolve(played, answer)[: len(played)]
    heard *= 10 ** ((level_db(played) + gain_db) / 20) / np.sqrt(np.square(heard).mean())
    noise = 1e-4 * random.standard_normal(len(played))
    return np.asarray(heard + noise, dtype=np.float32)


def _cancelled(heard: Samples, played: Samples) -> Samples:
    canceller = WebRtcCanceller()
    step = RATE_HZ // 50
    whole = len(heard) // step * step
    return np.concatenate(
        [
            canceller.cancel(heard[first : first + step], played[first : first + step])
            for first in range(0, whole, step)
        ]
    )


def _wrong(text: str, wanted: list[str]) -> int:
    """Of the words of the beginning: what follows them is not counted."""
    return errors(words(text)[: len(wanted)], wanted)
