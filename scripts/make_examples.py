#!/usr/bin/env python3
"""Make examples/question.wav: a question in a voice that is not the agent's, in a quiet room.

usage: make_examples.py     (first: pip install hibari-tts==0.2.1 soundfile soxr)
"""

from pathlib import Path

import numpy as np
import soundfile
import soxr
from hibari import Hibari

QUESTION = "How much is a ticket for an adult?"
RATE_HZ = 16_000
VOICE_RATE_HZ = 24_000
AROUND_S = 0.4
NOISE_DB = -50.0  # below full scale: a quiet room


def main() -> None:
    voice = np.asarray(Hibari()(QUESTION), np.float32)
    speech = soxr.resample(voice, VOICE_RATE_HZ, RATE_HZ)
    speech *= 0.5 / np.abs(speech).max()
    around = np.zeros(int(AROUND_S * RATE_HZ), np.float32)
    samples = np.concatenate([around, speech, around])
    noise = np.random.default_rng(0).normal(0, 10 ** (NOISE_DB / 20), len(samples))
    target = Path(__file__).parents[1] / "examples" / "question.wav"
    soundfile.write(target, samples + noise, RATE_HZ, "PCM_16")
    print(f"{target}: {len(samples) / RATE_HZ:.1f} s")


if __name__ == "__main__":
    main()
