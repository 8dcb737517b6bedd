#!/usr/bin/env python3
"""Measure how well replies that are no English are told from good ones, with the embedded engine.

usage: measure_language.py [--show] [--fit] [--curve] [--doubt LOG_ODDS]

The replies are those of tests/data/replies.jsonl, labelled by hand: what the embedded writer made
of questions, small talk and odd inputs, and right replies of the packs in wordings of their own.
--fit prints the weights of llm/proofreading.py, fitted on the part "fitted"; the part "held out" is
of the development packs, and never fitted on.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np

from atonce.agent.copied import is_copied, slips
from atonce.agent.reply_check import check
from atonce.config.load import defaults
from atonce.llm import proofreading
from atonce.llm.denoiser import EmbeddedWriter
from atonce.llm.lessons import UNKNOWN
from atonce.llm.protocols import Exchange, Prompt

LABELLED = Path(__file__).resolve().parent.parent / "tests" / "data" / "replies.jsonl"


@dataclass(frozen=True)
class Labelled:
    """One reply, and whether it is English."""

    part: str
    prompt: Prompt
    reply: str
    is_good: bool


@dataclass(frozen=True)
class Judged:
    """What check and reader think of it."""

    labelled: Labelled
    is_copied: bool
    is_slip: bool
    passes: bool
    odds: float
    features: tuple[float, ...]
    ms: float


def labelled(path: Path = LABELLED) -> Iterator[Labelled]:
    """All replies of the file: a line for every scene."""
    for line in path.read_text("utf-8").splitlines():
        scene = json.loads(line)
        for one in scene["replies"]:
            past = tuple(Exchange(*turn) for turn in one.get("history", ()))
            prompt = Prompt(scene["role"], tuple(scene["facts"]), one["question"], past)
            yield Labelled(scene["part"], prompt, one["reply"], one["label"] == "good")


def judged(writer: EmbeddedWriter, one: Labelled) -> Judged:
    """Ask check and reader."""
    writer.read(one.prompt)  # as when a reply has been written
    begun = time.perf_counter()
    opinion = writer.opinion(one.prompt, one.reply)
    ms = 1000 * (time.perf_counter() - begun)
    return Judged(
        one,
        is_copied(one.reply, (*one.prompt.facts, UNKNOWN)),
        bool(slips(one.reply, one.prompt.facts)),
        check(one.reply, prompt=one.prompt).passes,
        opinion.odds,
        opinion.features,
        ms,
    )


def fitted(all_: Sequence[Judged], rounds: int = 20000) -> np.ndarray:
    """Base and weights of a logistic regression; both labels weigh the same."""
    some = [one for one in all_ if one.labelled.part == "fitted" and not one.is_copied]
    x = np.array([one.features for one in some])
    is_bad = np.array([not one.labelled.is_good for one in some])
    middle, width = x.mean(0), x.std(0)
    z = np.c_[np.ones(len(x)), (x - middle) / width]
    share = np.where(is_bad, 0.5 / is_bad.sum(), 0.5 / (~is_bad).sum())
    weights = np.zeros(z.shape[1])

    for _ in range(rounds):
        chance = 1 / (1 + np.exp(-z @ weights))
        weights -= 0.5 * (z.T @ ((chance - is_bad) * share) + 1e-3 * np.r_[0, weights[1:]])

    worth = weights[1:] / width
    return np.r_[weights[0] - worth @ middle, worth]


def report(all_: Sequence[Judged], doubt: float) -> None:
    """Garbled caught, and good refused, by the check alone and with the reader's opinion."""
    for part in ("fitted", "held out"):
        for is_good in (False, True):
            for name, copied in (("own words", False), ("copied", True)):
                some = [
                    one
                    for one in all_
                    if one.labelled.part == part
                    and one.labelled.is_good == is_good
                    and one.is_copied == copied
                ]
                if not some:
                    continue

                form = sum(not one.passes for one in some)
                both = sum(not one.passes or is_doubted(one, doubt) for one in some)
                label = "good" if is_good else "garbled"
                shares = [100 * count / len(some) for count in (form, both)]
                print(
                    f"{part:9s}{label:8s}{name:10s}{len(some):5d}   refused by the check "
                    "{:5.1f} %, with the reader {:5.1f} %".format(*shares)
                )

    times = [one.ms for one in all_ if not one.is_copied]
    print(f"one opinion: {median(times):.0f} ms (median), {np.percentile(times, 95):.0f} ms (95 %)")


def is_doubted(one: Judged, doubt: float) -> bool:
    """Whether it would not be spoken for what the reader thinks of it, at this threshold."""
    limit = min(doubt, proofreading.SLIP) if one.is_slip else doubt
    return not one.is_copied and one.odds > limit


def main() -> None:
    """Measure, or fit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--show", action="store_true", help="print what is judged wrongly")
    parser.add_argument("--fit", action="store_true", help="print the fitted weights")
    parser.add_argument("--curve", action="store_true", help="other thresholds of doubt")
    parser.add_argument("--doubt", type=float, default=proofreading.DOUBT)
    options = parser.parse_args()
    writer = EmbeddedWriter.from_settings(defaults().settings.llm)
    all_ = [judged(writer, one) for one in labelled()]

    if options.fit:
        weights = fitted(all_)
        print("BASE, WORST, SECOND, MEAN, PLAIN:", *(f"{weight:.2f}" for weight in weights))
        all_ = [replace(one, odds=float(weights @ (1, *one.features))) for one in all_]

    for doubt in (-2.0, -1.0, 0.0, 1.0, 2.0, 3.0) if options.curve else ():
        print(f"doubt at {doubt:.1f}")
        report(all_, doubt)

    report(all_, options.doubt)

    if options.show:
        for one in all_:
            refused = not one.passes or is_doubted(one, options.doubt)
            if refused == one.labelled.is_good:
                label = "good" if one.labelled.is_good else "garbled"
                print(f"{label:8s}{one.odds:5.1f}  {one.labelled.reply}")


if __name__ == "__main__":
    main()
