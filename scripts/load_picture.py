"""Draw what scripts/simulate_load found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from load_gpu import Served
from load_machine import RULES, Done

mpl.use("agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "atonce", "font.size": 9})


def draw(
    path: Path, watched: Sequence[Done], fixed: Sequence[Done], served: Sequence[Served]
) -> None:
    """One talk through a load, and many talks on one GPU."""
    figure, ((heard, late), (steps, shared)) = plt.subplots(2, 2, figsize=(10, 5.6))
    minutes = [turn.at_s / 60 for turn in watched]
    budget_ms = 1000 * RULES.first_audio_s
    for axes in (heard, steps):
        for start in (2, 7):
            axes.axvspan(start, start + 1, color="0.9", label="everything takes 3 times as long")

    heard.plot(minutes, [1000 * t.first_audio_s for t in fixed], "x", color="#d94801",
               label=f"K = {RULES.plan.steps}")  # fmt: skip
    heard.plot(minutes, [1000 * t.first_audio_s for t in watched], ".", color="#084594",
               label="watchdog")  # fmt: skip
    heard.axhline(budget_ms, color="0.4", linestyle="--", label="budget")
    heard.set(ylabel="first audio, ms", title="one talk on two cores")
    steps.step(minutes, [t.steps for t in watched], where="mid", color="#084594")
    steps.set(xlabel="minutes", ylabel="steps done", ylim=(0, RULES.plan.steps + 0.5))
    handles, names = heard.get_legend_handles_labels()
    once = dict(zip(names, handles, strict=True))
    heard.legend(once.values(), once.keys(), fontsize=7)
    many(late, shared, served)
    for axes in (heard, late, steps, shared):
        axes.grid(alpha=0.3)

    figure.tight_layout()
    figure.savefig(path, **({"metadata": {"Date": None}} if path.suffix == ".svg" else {}))
    plt.close(figure)


def many(late: Axes, shared: Axes, served: Sequence[Served]) -> None:
    """Talks on one GPU."""
    talks = [one.sessions for one in served]
    late.plot(
        talks, [100 * one.late_fixed for one in served], "x-", color="#d94801", label="K = 16"
    )
    late.plot(talks, [100 * one.late for one in served], ".-", color="#084594", label="watchdog")
    late.set(ylabel="replies over 900 ms, %", title="many talks on one GPU (costs assumed)")
    late.legend(fontsize=7)
    shared.plot(talks, [one.mean_k for one in served], ".-", color="#084594")
    shared.set(xlabel="talks at once", ylabel="steps done, mean", ylim=(0, 17))
