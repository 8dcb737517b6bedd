"""Measure every pair of stages together against alone, with and without the arbiter.

usage: scripts/bench_contention [--rounds N] [--cores N]

A row is a stage that is asked for again and again; a column is another that works all the time
beside it. A cell says how many times as long the first one takes as alone, from asking to done:
without the arbiter / with it. Alone and both ways take turns, so that a busy machine is unfair to
all. With the arbiter the more urgent one waits for one call of the other at most; the less urgent
one waits for as long as the other wants the processor, which here is always: "waits" is no number.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, count
from pathlib import Path
from statistics import median

import numpy as np

from atonce.agent import engines
from atonce.agent.knowledge import build_prompt
from atonce.agent.reply import plan_of
from atonce.agent.worker import Arbiter, Stage, Worker
from atonce.config import processor
from atonce.config.load import defaults
from atonce.config.processor import Shares
from atonce.config.schema import Settings
from atonce.speech import audio_file
from atonce.speech.protocols import Audio
from atonce.speech.silero import SileroDetector

QUESTION = Path(__file__).parents[1] / "tests" / "audio" / "ast_not_in_service.wav"
SENTENCE = "The museum is open from ten to five, and a ticket costs fourteen dollars."
PARTIAL_S = 2.0
"""Of the question, for a partial transcript."""
SHORTEST_S = 0.05
"""Of one measurement: the shortest calls are made again and again."""
STAGES = tuple(stage for stage in Stage if stage is not Stage.PLAYBACK)
_NAMES = ("voice activity", "synthesis", "final", "reply step", "partial", "draft step")
NO_ARBITER = Shares(cores=1, hearing=0, writing=0, speaking=0, heavy_calls=99, speaks_beside=True)
"""Everybody runs at once."""
Work = Callable[[], object]


class Bench:
    """All stages of one agent, each as a call that can be made again and again."""

    def __init__(self, loaded: engines.Engines, settings: Settings) -> None:
        transcriber = loaded.transcriber
        assert transcriber is not None
        question = audio_file.read(QUESTION)
        begun = Audio(question.samples[: int(PARTIAL_S * question.rate_hz)], question.rate_hz)
        steps, drafts = _steps(loaded, settings), _steps(loaded, settings)
        pieces = chain.from_iterable(loaded.synthesizer.synthesize(SENTENCE) for _ in count())
        detector = SileroDetector()
        frame = np.zeros(detector.frame_samples, dtype=np.float32)
        self._work: dict[Stage, tuple[str, Work]] = {
            Stage.VOICE_ACTIVITY: ("listening", lambda: detector.probability(frame)),
            Stage.SYNTHESIS: ("speaking", lambda: next(pieces)),
            Stage.FINAL_TRANSCRIPT: ("hearing", lambda: transcriber.transcribe(question)),
            Stage.REPLY: ("writing", lambda: next(steps)),
            Stage.PARTIAL_TRANSCRIPT: ("hearing", lambda: transcriber.transcribe(begun)),
            Stage.EARLY_DRAFT: ("writing", lambda: next(drafts)),
        }

    async def alone(self, stage: Stage) -> float:
        """Seconds of one call when nothing else runs."""
        return await self._timed(stage, self._workers(NO_ARBITER))

    async def beside(self, stage: Stage, other: Stage, shares: Shares) -> float:
        """The same while another stage works all the time."""
        workers = self._workers(shares)

        async with asyncio.TaskGroup() as group:
            busy = group.create_task(self._forever(other, workers))
            await asyncio.sleep(0.03)  # asked for at some moment of the other's work
            seconds = await self._timed(stage, workers)
            busy.cancel()

        # What still runs in its thread must have ended before an engine is called from another.
        await workers[self._work[other][0]].run(lambda: None)
        return seconds

    async def _timed(self, stage: Stage, workers: dict[str, Worker]) -> float:
        name, work = self._work[stage]
        times = []

        while sum(times) < SHORTEST_S:
            begun_s = time.perf_counter()
            await workers[name].run(work, stage=stage)
            times.append(time.perf_counter() - begun_s)

        return median(times)

    async def _forever(self, stage: Stage, workers: dict[str, Worker]) -> None:
        name, work = self._work[stage]

        while True:
            await workers[name].run(work, stage=stage)

    def _workers(self, shares: Shares) -> dict[str, Worker]:
        arbiter = Arbiter(shares)
        return {
            name: Worker(name, arbiter) for name in ("listening", "speaking", "hearing", "writing")
        }


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="scripts/bench_contention", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="calls of each stage in each pair")
    parser.add_argument("--cores", type=int, default=None, help="the row of the table of threads")
    options = parser.parse_args(arguments)
    settings = defaults().settings
    engines.ensure_models(settings, say=print)
    print(asyncio.run(_report(settings, options.rounds, processor.shares(options.cores))))
    return 0


async def _report(settings: Settings, rounds: int, shares: Shares) -> str:
    bench = Bench(await engines.load(settings), settings)
    lines = [f"{'':<15}{'alone ms':>9}" + "".join(f"{name:>16}" for name in _NAMES)]

    for stage in STAGES:  # once, to warm everything up
        await bench.alone(stage)

    for stage, name in zip(STAGES, _NAMES, strict=True):
        rows = [await _cell(bench, stage, other, rounds, shares) for other in STAGES]
        alone_ms = 1000 * median(alone_s for alone_s, _ in rows if alone_s)
        lines.append(f"{name:<15}{alone_ms:>9.1f}" + "".join(f"{text:>16}" for _, text in rows))

    return "\n".join(lines)


async def _cell(
    bench: Bench, stage: Stage, other: Stage, rounds: int, shares: Shares
) -> tuple[float, str]:
    """Seconds alone, and the two ratios; the three take turns."""
    if stage is other:
        return 0.0, "–"

    alone, without, with_it = [], [], []

    for _ in range(rounds):
        alone.append(await bench.alone(stage))
        without.append(await bench.beside(stage, other, NO_ARBITER))

        if not _waits(stage, other, shares):
            with_it.append(await bench.beside(stage, other, shares))

    alone_s = median(alone)

    if not with_it:
        return alone_s, f"{median(without) / alone_s:.1f} / waits"

    return alone_s, f"{median(without) / alone_s:.1f} / {median(with_it) / alone_s:.1f}"


def _waits(stage: Stage, other: Stage, shares: Shares) -> bool:
    """Whether the first one never gets its turn while the other one always wants it."""
    first_to_share = Stage.FINAL_TRANSCRIPT if shares.speaks_beside else Stage.SYNTHESIS
    return shares.heavy_calls == 1 and stage > other >= first_to_share


def _steps(loaded: engines.Engines, settings: Settings) -> Iterator[object]:
    """Denoising steps of reply after reply, without end."""
    prompt = build_prompt(settings.agent.role, settings.agent.facts, "When do you open?")
    plan = plan_of(settings.llm)
    cache = loaded.writer.read(prompt)
    return chain.from_iterable(loaded.writer.write(cache, plan) for _ in count())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
