"""The scores of evaluate.py in the model's card, and quality by K as data for `atonce tune`."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

import score_table
from score_table import Entry

from atonce.agent.tune import decisive, sha256
from atonce.config.schema import LlmSettings

EMBEDDED = Path(__file__).resolve().parents[1] / "llm" / "embedded"
CARD, QUALITY = EMBEDDED / "README.md", EMBEDDED / "quality.json"
BEGIN, END = "<!-- scores: begin -->\n", "<!-- scores: end -->"
ABOUT = """`{command}`: {turns} of places that nobody trains on, drawn once with a fixed seed, the
same for every row; the autoregressive rivals had a part of them, evenly. Canvas {llm.canvas}, rule
{llm.rule}. Percent; in brackets 95 % intervals, bootstrap over questions. *Not its own*: grounded
turns where no draft passed the check, counted as wrong; *whole agent* counts what was said instead,
too. *ms*: median, written alone, the reading of the prompt left out."""
FOUND = """All facts that answer stand among the first 1 / 2 / 3 that the writer was told in
{shares} % of the grounded turns."""


def write_card(
    main: Entry, entries: Sequence[Entry], found: Sequence[float], llm: LlmSettings, command: str
) -> None:
    """Everything between the two marks; entries: all rows of the table."""
    shares = " / ".join(f"{100 * part:.0f}" for part in found)
    lines = [
        *fill(ABOUT.format(command=command, turns=score_table.summary(main.written), llm=llm)),
        "",
        *score_table.markdown_table(entries),
        "",
        *fill(FOUND.format(shares=shares)),
        "",
        f"By kind of question, {main.name}, percent:",
        "",
        *score_table.kinds_table(main),
        "",
        *(f"- {line}" for line in score_table.comparisons(main, rivals(main, entries))),
        *(f"- {line}" for line in score_table.asides(entries)),
    ]
    before, _, rest = CARD.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    CARD.write_text(before + BEGIN + "\n".join(lines) + "\n" + END + after, "utf-8")


def fill(text: str) -> list[str]:
    """A paragraph in lines."""
    return textwrap.fill(" ".join(text.split()), 120).split("\n")


def rivals(main: Entry, entries: Sequence[Entry]) -> list[Entry]:
    """What the main row is compared with: other K with the check, and all that writes otherwise."""
    return [
        entry
        for entry in entries
        if entry.name != main.name
        and entry.is_aside is False
        and (entry.is_checked or entry.is_fixed)
        and entry.shares.grounded
    ]


def write_quality(by_canvas: Mapping[int, Sequence[Entry]], llm: LlmSettings) -> None:
    """Quality by canvas and K, for the writer as it is shipped."""
    table = {
        canvas: {
            entry.steps: {
                "grounded": round(entry.shares.grounded, 4),
                "agent_grounded": round(entry.shares.agent_grounded, 4),
                "unknown": round(entry.shares.unknown, 4),
                "steps": round(entry.shares.steps, 2),
                "turns": len(entry.written),
            }
            for entry in entries
            if entry.is_checked
        }
        for canvas, entries in sorted(by_canvas.items())
    }
    state = {
        "weights": sha256(*decisive(EMBEDDED)),
        "rule": llm.rule,
        "by_canvas": table,
    }
    QUALITY.write_text(json.dumps(state, indent=1) + "\n", "utf-8")
