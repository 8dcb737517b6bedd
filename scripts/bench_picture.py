"""Draw what scripts/bench_llm measured: time of a reply against its length, both ways."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot

mpl.use("Agg")  # no window
mpl.rcParams["svg.hashsalt"] = "atonce"  # the same figures give the same file
mpl.rcParams["svg.fonttype"] = "none"  # letters as letters: a tenth of the size
INK = {2: "#9ecae1", 4: "#4292c6", 8: "#084594"}


def main() -> int:
    """Draw a JSON file of scripts/bench_llm."""
    parser = argparse.ArgumentParser(description="Draw what scripts/bench_llm measured.")
    parser.add_argument("found", type=Path, metavar="FILE.json")
    parser.add_argument("picture", type=Path, metavar="FILE.svg")
    args = parser.parse_args()
    draw(json.loads(args.found.read_text(encoding="utf-8"))["lengths"], args.picture)
    return 0


def draw(lengths: Sequence[Mapping[str, Any]], picture: Path) -> None:
    """One panel for every precision."""
    kinds = list(dict.fromkeys(one["precision"] for one in lengths))
    figure, panels = pyplot.subplots(1, len(kinds), figsize=(4.2 * len(kinds), 3.6), squeeze=False)
    for panel, kind in zip(panels[0], kinds, strict=True):
        rows = [one for one in lengths if one["precision"] == kind]
        tokens = [row["tokens"] for row in rows]
        panel.plot(tokens, [row["rival_ms"] for row in rows], "o-", color="#d94801",
                   label="token by token")  # fmt: skip
        for steps, ink in INK.items():
            ms = [row["denoiser_ms"].get(str(steps), row["denoiser_ms"].get(steps)) for row in rows]
            panel.plot(tokens, ms, "o-", color=ink, label=f"denoised, K={steps}")

        panel.set_title(kind, fontsize=10)
        panel.set_xlabel("tokens of the reply")
        panel.set_xticks(tokens)
        panel.set_ylim(bottom=0)
        panel.grid(alpha=0.3)

    panels[0][0].set_ylabel("ms, without reading the prompt")
    panels[0][0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(picture, metadata={"Date": None} if picture.suffix == ".svg" else None)
    pyplot.close(figure)


if __name__ == "__main__":
    sys.exit(main())
