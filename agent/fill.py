"""`atonce fill`: gaps of a sentence filled from the facts, or lines of a file rewritten."""

from __future__ import annotations

import difflib
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from atonce.agent.knowledge import build_prompt
from atonce.agent.reply import plan_of
from atonce.config import models, registry
from atonce.config.errors import EngineError, UsageError
from atonce.config.load import load
from atonce.config.schema import Settings
from atonce.llm.filling import Filled, GapWriter, fill
from atonce.llm.protocols import Infiller, Writer

GAP = re.compile(r"_{2,}")
MOST_GAPS = 8
"""More gaps than that leave too little to go by."""
LINES = re.compile(r"(\d+)(?:-(\d+))?")

NOTE = (
    "note: the embedded writer was trained to speak replies from these facts. A gap in a sentence "
    "that is worded like a fact it fills well, others by guessing."
)


@dataclass(frozen=True, slots=True)
class Span:
    """Lines of a file."""

    file: Path
    """Which file."""
    first: int
    """Their first, from 1."""
    last: int
    """Their last."""


def run(text: str, *, config: Path | None, overrides: Sequence[str], is_json: bool) -> int:
    """Fill the gaps of a text and print it; the exit code."""
    parts = parts_of(text)
    settings = load(config, overrides).settings
    writer = made(settings)

    if not isinstance(writer, GapWriter):
        raise EngineError(
            f"the engine {settings.llm.engine} cannot be given the words around a gap; choose one "
            "that can, such as embedded (llm.engine)"
        )

    question = " ".join(" ".join(parts).split()).rstrip(".!?") + "?"
    prompt = build_prompt(settings.agent.role, settings.agent.facts, question)
    filled = fill(writer, prompt, parts, plan_of(settings.llm))
    show(filled, settings, is_json=is_json)
    return 0


def rewrite(span: Span, *, config: Path | None, overrides: Sequence[str], is_written: bool) -> int:
    """Rewrite lines of a file, and print the difference or write the file; the exit code."""
    before, lines, after = parts_of_file(span)
    settings = load(config, overrides).settings
    writer = made(settings)

    if not isinstance(writer, Infiller):
        raise EngineError(
            f"the engine {settings.llm.engine} does not rewrite files: it writes replies to what "
            "somebody says. Choose an engine that declares infilling (llm.engine)"
        )

    plan = plan_of(settings.llm)
    plan = replace(plan, canvas=min(plan.canvas, writer.max_canvas))
    *_, draft = writer.infill("".join(before), "".join(after), plan)
    new = "".join(cell.text for cell in draft.cells)  # Draft.text has no indentation
    changed = [*before, new.rstrip("\n") + newline_of(lines), *after]

    if is_written:
        write(span.file, "".join(changed))
    else:
        name, old = str(span.file), before + lines + after
        sys.stdout.writelines(difflib.unified_diff(old, changed, name, name))

    return 0


def newline_of(lines: Sequence[str]) -> str:
    """How the last of some lines ends; the last line of a file may end without a newline."""
    return lines[-1][len(lines[-1].rstrip("\r\n")) :]


def write(file: Path, text: str) -> None:
    """Put a text in a file, its newlines as they are."""
    try:
        file.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror or error}") from error


def parts_of(text: str) -> list[str]:
    """What stands between the gaps; a blank goes with the word behind it, as tokens have it."""
    parts = GAP.split(text.strip())

    if not 2 <= len(parts) <= MOST_GAPS + 1:
        raise UsageError(
            f"a text with one to {MOST_GAPS} gaps is wanted, each of two or more underscores: "
            'atonce fill "We open at ____ on Saturday"'
        )

    return [part.rstrip() for part in parts[:-1]] + parts[-1:]


def parts_of_file(span: Span) -> tuple[list[str], list[str], list[str]]:
    """The lines before, the lines themselves, and those behind them, with their newlines."""
    try:
        with span.file.open(encoding="utf-8", newline="") as file:
            lines = list(file)
    except OSError as error:
        raise UsageError(f"{span.file} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{span.file} cannot be read as text: it is not UTF-8") from error

    if not 1 <= span.first <= span.last <= len(lines):
        raise UsageError(
            f"{span.file} has {len(lines)} lines: --lines {span.first}-{span.last} is outside"
        )

    return lines[: span.first - 1], lines[span.first - 1 : span.last], lines[span.last :]


def span_of(file: Path, lines: str) -> Span:
    """The lines as they are typed: 12-20, or 12."""
    match = LINES.fullmatch(lines)

    if match is None:
        raise UsageError(f"--lines wants numbers such as 12-20, not {lines!r}")

    first, last = int(match[1]), int(match[2] or match[1])
    if first > last:
        raise UsageError(f"--lines {lines} ends before it begins: write {last}-{first}")

    return Span(file, first, last)


def made(settings: Settings) -> Writer:
    """The engine, its model files fetched where they are missing."""
    section = settings.llm
    models.ensure(registry.models("llm", section), _say)
    writer: Writer = registry.find("llm", section.engine).from_settings(section)
    return writer


def _say(line: str) -> None:
    sys.stderr.write(f"atonce: {line}\n")


def show(filled: Filled, settings: Settings, *, is_json: bool) -> None:
    """The text on standard output, an honest note on standard error."""
    if is_json:
        said = {"text": filled.text, "gaps": filled.gaps, "engine": settings.llm.engine}
        sys.stdout.write(json.dumps(said, ensure_ascii=False) + "\n")
        return

    sys.stdout.write(filled.text + "\n")
    if settings.llm.engine == "embedded":
        sys.stderr.write(NOTE + "\n")
