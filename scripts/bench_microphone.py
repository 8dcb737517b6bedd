"""How true the times of a talk's sound are, and how long it takes, on a card that is not there.

    .venv/bin/python scripts/bench_microphone.py --json microphone.json

A loudspeaker's sound is heard by a microphone without any way between. Told are: how long before it
is audible a loudspeaker's sound is fetched; how long after its last sample a microphone's sound
reaches the session; by how much the two sounds differ that the echo canceller gets (the lead that
`agent/played.py` wants is in it); and what was lost. A real card adds its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from pathlib import Path

import numpy as np

from atonce.agent.microphone import Microphone
from atonce.agent.played import LEAD_S
from atonce.agent.portaudio import PortAudio
from atonce.agent.virtual_card import VirtualCard
from atonce.speech.protocols import Audio, Samples

RUN_S = 3.0


def main() -> None:
    """Run, and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder, VirtualCard(Path(folder)) as card:
        os.environ.update(card.environment)
        name = card.short_circuit()
        runs = [asyncio.run(_run(name, seed)) for seed in range(arguments.runs)]

    for key in runs[0]:
        values = sorted(run[key] for run in runs)
        middle = values[len(values) // 2]
        print(f"{key:<28} median {middle:7.1f}   least {values[0]:7.1f}   most {values[-1]:7.1f}")

    if arguments.json:
        arguments.json.write_text(json.dumps(runs, indent=1) + "\n")


async def _run(name: str, seed: int) -> dict[str, float]:
    clock = asyncio.get_running_loop().time
    waits_s: list[float] = []
    heard: list[Samples] = []
    played: list[Samples] = []
    ahead_s: list[float] = []

    async with Microphone(
        lambda: PortAudio(clock), show=lambda _: None, clock=clock, microphone=name
    ) as microphone:
        playback = microphone.playback
        take = playback.take

        def timed(samples: int, at_s: float) -> Samples:
            ahead_s.append(at_s - clock())
            return take(samples, at_s)

        playback.take = timed  # type: ignore[method-assign]
        noise = np.random.default_rng(seed).standard_normal(round((RUN_S + 2) * playback.rate_hz))
        playback.put(Audio((0.1 * noise).astype(np.float32), playback.rate_hz))

        async for frame in microphone.listen():
            assert frame.played is not None
            waits_s.append(clock() - frame.at_s)
            heard.append(frame.heard.samples)
            played.append(frame.played.samples)

            if len(heard) * 0.02 >= RUN_S:
                break

        lost = microphone.faults

    lag_s = _lag(np.concatenate(heard), np.concatenate(played)) / playback.rate_hz
    return {
        "fetched before audible, ms": 1000 * float(np.median(ahead_s)),
        "heard after its end, ms": 1000 * float(np.median(waits_s)),
        "heard after its end, p99 ms": 1000 * float(np.percentile(waits_s, 99)),
        "echo after its cause, ms": 1000 * lag_s,
        "of which is lead, ms": 1000 * LEAD_S,
        "lost at the microphone": float(lost[0]),
        "lost at the loudspeaker": float(lost[1]),
        "silence put in, ms": 1000 * microphone.dropped_s,
    }


def _lag(heard: Samples, played: Samples) -> int:
    """By how many samples the first comes after the second."""
    size = 1 << (len(heard) + len(played)).bit_length()
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(played, size))
    place = int(np.argmax(np.fft.irfft(spectrum, size)))
    return place if place < size // 2 else place - size


if __name__ == "__main__":
    main()
