"""The scores of evaluate.py as a picture: quality against K, and against time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from score_table import Entry

mpl.use("agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "atonce", "font.size": 9})


def draw(path: Path, ours: Sequence[Entry], rivals: Sequence[Entry]) -> None:
    """ours: the denoiser's rows; rivals: lines to compare with."""
    figure, (by_steps, by_ms) = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
    checked = [entry for entry in ours if entry.is_checked]
    drafted = [entry for entry in ours if not entry.is_checked]
    for rows, style, name in ((checked, "-o", "checked, repaired"), (drafted, "--o", "as drafted")):
        right = [100 * row.shares.grounded for row in rows]
        by_steps.plot([row.steps or 0 for row in rows], right, style, markersize=4, label=name)
        by_ms.plot([row.shares.ms for row in rows], right, style, markersize=4, label=name)

    shade(by_steps, checked)
    for row in checked:
        place = (row.shares.ms, 100 * row.shares.grounded)
        offset = {"xytext": (3, 5), "textcoords": "offset points"}
        by_ms.annotate(f"K={row.steps}", place, fontsize=7, **offset)

    for number, rival in enumerate(rivals, 2):
        compare(by_steps, by_ms, rival, f"C{number}")

    finish(by_steps, by_ms, [row.steps or 0 for row in checked])
    figure.tight_layout()
    told = {"Date": None, "Description": in_words(checked)}
    figure.savefig(path, **({"metadata": told} if path.suffix == ".svg" else {}))
    plt.close(figure)


def in_words(rows: Sequence[Entry]) -> str:
    """What the picture shows, for whoever cannot see it: shares as in the card."""
    shares = ", ".join(f"K={row.steps} {100 * row.shares.grounded:.1f}" for row in rows)
    return f"grounded turns right, checked, percent: {shares}"


def shade(axes: Axes, rows: Sequence[Entry]) -> None:
    """The 95 % intervals."""
    ranges = [row.interval("grounded") for row in rows]
    low, high = ([100 * one[side] for one in ranges] for side in (0, 1))
    axes.fill_between([row.steps or 0 for row in rows], low, high, alpha=0.15)


def compare(by_steps: Axes, by_ms: Axes, rival: Entry, color: str) -> None:
    """One rival: a line, and where it takes time a point."""
    height = 100 * rival.shares.grounded
    by_steps.axhline(height, linestyle=":", color=color, label=rival.name)
    if rival.is_fixed:
        by_ms.axhline(height, linestyle=":", color=color)
    else:
        by_ms.plot([rival.shares.ms], [height], "s", color=color, label=rival.name)


def finish(by_steps: Axes, by_ms: Axes, steps: Sequence[int]) -> None:
    """Names and scales."""
    by_steps.set(xscale="log", xlabel="K, denoising steps", ylabel="grounded turns right, %")
    by_steps.set_xticks(steps, labels=[str(k) for k in steps])
    by_steps.minorticks_off()
    by_steps.legend(fontsize=7)
    by_ms.set(xscale="log", xlabel="ms to write a reply, median")
    for axes in (by_steps, by_ms):
        axes.grid(alpha=0.3)
