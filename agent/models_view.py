"""`atonce models`: list, fetch or remove the model files."""

from __future__ import annotations

import sys

from atonce.config import models


def run(action: str) -> int:
    """Do one of list, fetch, clear; the exit code."""
    if action == "fetch":
        models.fetch([entry.name for entry in models.catalogue()], _say)
        _say(f"all model files are in {models.cache_folder()}")
        return 0

    if action == "clear":
        models.clear()
        _say(f"removed the model files from {models.cache_folder()}")
        return 0

    sys.stdout.write(models.listing() + "\n")
    return 0


def _say(line: str) -> None:
    sys.stderr.write(f"atonce: {line}\n")
    sys.stderr.flush()
