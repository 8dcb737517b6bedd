"""`atonce rehearse TALK.yaml`: have a scripted talk, and say what came of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from atonce.agent import rehearsal_report, talk_script
from atonce.agent.rehearsal import Rehearsal, rehearse, settings_of

FAILED = 1
"""Something that was expected is not so."""


def run(
    scripts: Sequence[Path],
    *,
    out: Path | None,
    config: Path | None,
    overrides: Sequence[str],
    is_fast: bool,
    is_json: bool,
) -> int:
    """Rehearse one talk after the other; the exit code. is_fast: on a clock that jumps, whatever
    the script says."""
    talks = [talk_script.read(script) for script in scripts]  # all slips before the first word
    code = 0

    for talk in talks:
        loaded = settings_of(talk, config, tuple(overrides))
        done = rehearse(talk, loaded, is_virtual=True if is_fast else None, say=_say)

        if out is not None:
            _keep(done, out if len(talks) == 1 else out / talk.path.stem)

        if is_json:
            _print_json(done)
        else:
            _print(done)

        code = FAILED if done.unmet else code

    return code


def _keep(done: Rehearsal, folder: Path) -> None:
    rehearsal_report.write(done, folder)

    try:
        rehearsal_report.draw(done, folder / "timeline.png")
    except ImportError:
        _say("no picture was drawn: that takes matplotlib (pip install matplotlib)")


def _print_json(done: Rehearsal) -> None:
    for turn in done.turns:
        told = {"talk": done.talk.path.stem, **rehearsal_report.turn_json(turn)}
        sys.stdout.write(json.dumps(told, ensure_ascii=False) + "\n")

    for sentence in done.unmet:
        _say(f"{done.talk.path}: {sentence}")


def _print(done: Rehearsal) -> None:
    sys.stdout.write(f"{done.talk.path.stem}: {done.talk.head.about}\n")
    sys.stdout.flush()
    rehearsal_report.show(done)

    for sentence in done.unmet:
        _say(f"{done.talk.path}: {sentence}")

    count = len(done.unmet)
    verdict = "all as expected" if not count else f"{count} not as expected"
    sys.stdout.write(f"{verdict} ({done.recording.seconds:.1f} s of talk)\n")


def _say(sentence: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"atonce: {sentence}\n")
