"""`atonce doctor`: what the agent needs, what was found, and what to do about what is missing."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from importlib import metadata
from importlib.resources import files
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from atonce.agent import probe
from atonce.config import models, registry
from atonce.config.catalogue import MODELS
from atonce.config.errors import SettingsError
from atonce.config.load import defaults, load
from atonce.config.schema import Settings

PACKAGES = {
    "torch": "torch",
    "numpy": "numpy",
    "faster-whisper": "faster_whisper",
    "piper-tts": "piper",
    "streaming-vits": "streaming_vits",
    "onnx": "onnx",
    "hibari-tts": "hibari",
    "markdown-it-py": "markdown_it",
    "sentencex": "sentencex",
    "unicode-rbnf": "unicode_rbnf",
    "sounddevice": "sounddevice",
    "soundfile": "soundfile",
    "soxr": "soxr",
    "pywebrtc-audio": "pywebrtc_audio",
    "aiortc": "aiortc",
    "aiomqtt": "aiomqtt",
    "starlette": "starlette",
    "uvicorn": "uvicorn",
    "pulsectl": "pulsectl",
    "pyyaml": "yaml",
    "pydantic": "pydantic",
    "rich": "rich",
    "safetensors": "safetensors",
    "tokenizers": "tokenizers",
    "gguf": "gguf",
    "packaging": "packaging",
}
"""What is installed → what is imported."""
SHIPPED_WRITER = Path(str(files("atonce.llm"))) / "embedded" / "writer.safetensors"
"""Comes with the package; its module is not imported for it, because that would import torch."""
SLOW_FIRST_SOUND_S = 0.25
"""People notice a pause from about here on, and the voice is only its last part."""
SLOW_VOICE = 0.5
"""Seconds of computing for a second of sound: with more, it stutters beside the other stages."""
SOUND = "sounddevice"
"""Installed or not; whether it works is a finding of its own."""
FOR_TALK_ONLY = frozenset(
    {SOUND, "pywebrtc-audio", "aiortc", "aiomqtt", "starlette", "uvicorn", "pulsectl"}
)
"""Packages that a question in a file does not need."""
FEWEST_CORES = 2
"""What the time plan of one turn was made for."""
LEAST_MEMORY_GB = 2.0
"""All engines together, with room for the system."""
INSTALL_AGAIN = "remove the folder .venv and start scripts/atonce, or: pip install --upgrade atonce"
GET_AGAIN = "get the file again: git checkout llm/embedded, or pip install --force-reinstall atonce"
INSTALL_PORTAUDIO = "install the sound library: sudo apt-get install libportaudio2"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    """What it is."""
    found: str
    """What is there."""
    todo: str = ""
    """What to do about it; empty where nothing is."""
    _: KW_ONLY
    needed_for_ask: bool = False
    """Without it no question can be answered."""

    @property
    def ok(self) -> bool:
        """Nothing is to be done."""
        return not self.todo


def run(config: Path | None = None, overrides: Sequence[str] = ()) -> int:
    """Look, write a report to standard output; 1 if no question can be answered."""
    findings, settings = [], defaults().settings

    try:
        settings = load(config, overrides).settings
        findings.append(Finding("settings", "valid"))
    except SettingsError as error:
        todo = "correct this; the rest was looked at with the default settings"
        findings.append(Finding("settings", str(error), todo, needed_for_ask=True))

    findings += examine(settings)
    sys.stdout.write(report(findings) + "\n")
    return exit_code(findings)


def examine(settings: Settings) -> list[Finding]:
    """Everything that an agent with these settings needs; takes some seconds."""
    findings = [
        python_version(sys.version_info[:3]),
        *packages(metadata.requires("atonce") or []),
        *engine_models(settings),
        *([writer_weights(SHIPPED_WRITER)] if settings.llm.engine == "embedded" else []),
        *own_files(settings),
        *own_engines(settings),
        disk(settings, models.cache_folder()),
        processor(),
        memory(),
        sound(),
        licences(),
    ]
    return findings if exit_code(findings) else [*findings, *voice_speed(settings)]


def exit_code(findings: Sequence[Finding]) -> int:
    """1 if something is missing that every question needs."""
    return int(any(finding.needed_for_ask and not finding.ok for finding in findings))


def report(findings: Sequence[Finding]) -> str:
    """The findings as text: what is well in one line, what is not with what to do."""
    width = max(len(finding.name) for finding in findings)
    lines = [line for finding in findings for line in _lines(finding, width)]
    verdict = (
        "A question cannot be answered yet: see what is marked MISSING."
        if exit_code(findings)
        else 'Ready to answer: atonce ask --text "When do you open?"'
    )
    return "\n".join([*lines, "", verdict])


def python_version(version: tuple[int, ...]) -> Finding:
    """Whether this Python is one that the packages are made for."""
    wanted = metadata.metadata("atonce")["Requires-Python"]
    found = ".".join(map(str, version))
    ok = SpecifierSet(wanted).contains(found, prereleases=True)
    todo = "" if ok else f"install Python {wanted}, and then atonce into it"
    return Finding("python", f"{found} on {platform.system()}", todo, needed_for_ask=True)


def packages(requirements: Sequence[str]) -> list[Finding]:
    """What atonce needs installed: there, in the range asked for, and importable."""
    wanted = [
        requirement
        for requirement in map(Requirement, requirements)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    ]
    installed = {each.name: found for each in wanted if (found := _installed(each.name))}
    tried = [PACKAGES.get(name, name) for name in installed if name != SOUND]
    problems = probe.import_problems(tried)
    findings = [
        finding
        for each in wanted
        if (finding := _package(each, installed.get(each.name), problems)) is not None
    ]
    good = len(wanted) - len(findings)
    return [Finding("packages", f"{good} of {len(wanted)} are as wanted"), *findings]


def engine_models(settings: Settings) -> Iterator[Finding]:
    """The model files of the chosen engines, byte by byte."""
    for name in needed_models(settings):
        problems = models.verify(name)
        found = "; ".join(problems) if problems else f"checked, in {models.store().cache}"
        todo = "run: atonce models fetch" if problems else ""
        yield Finding(f"model {name}", found, todo, needed_for_ask=True)


def needed_models(settings: Settings) -> tuple[str, ...]:
    """The models of the store that these settings need."""
    return (
        *registry.models("transcriber", settings.transcriber),
        *registry.models("llm", settings.llm),
        *registry.models("synthesizer", settings.synthesizer),
    )


def writer_weights(file: Path) -> Finding:
    """The trained weights of the embedded writer, which come with atonce itself."""
    name = "writer weights"

    if not file.is_file():
        found = f"{file}: there is no such file"
        return Finding(name, found, GET_AGAIN, needed_for_ask=True)

    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        return Finding(name, f"{file}: there")

    try:
        with safe_open(file, framework="numpy"):
            return Finding(name, f"whole, {file.stat().st_size / 1e6:.0f} MB")
    except (SafetensorError, OSError) as error:
        found = f"{file}: is damaged ({error})"
        return Finding(name, found, GET_AGAIN, needed_for_ask=True)


def own_files(settings: Settings) -> Iterator[Finding]:
    """Models and voices that are named by their place instead of their name in the store."""
    model, voice = settings.transcriber.model, settings.synthesizer.voice

    if settings.transcriber.engine == "whisper" and model not in MODELS:
        yield _own_model(Path(model).expanduser())

    if settings.synthesizer.engine in ("piper", "piper-whole") and voice not in MODELS:
        yield _own_voice(Path(voice).expanduser())


def own_engines(settings: Settings) -> Iterator[Finding]:
    """Engines that are named by their place instead of their name in the registry."""
    engines = {
        "transcriber.engine": settings.transcriber.engine,
        "llm.engine": settings.llm.engine,
        "synthesizer.engine": settings.synthesizer.engine,
    }
    own = {name: place for name, place in engines.items() if registry.is_place(place)}
    modules = {name: place.partition(":")[0] for name, place in own.items()}
    problems = probe.import_problems(sorted(set(modules.values())))

    for name, module in modules.items():
        problem = problems[module]
        todo = "install its package, or name its folder in PYTHONPATH" if problem else ""
        found = problem or f"{own[name]}: {module} can be imported"
        yield Finding(name, found, todo, needed_for_ask=True)


def disk(settings: Settings, cache: Path) -> Finding:
    """Room and rights in the cache folder for the models that are not there yet."""
    names = needed_models(settings)
    missing = [
        entry.model
        for entry in models.catalogue()
        if entry.name in names and entry.state != "present"
    ]
    needed_gb = sum(model.size + model.download_size for model in missing) / 1e9
    existing = next(folder for folder in (cache, *cache.parents) if folder.exists())
    free_gb = shutil.disk_usage(existing).free / 1e9
    found = f"{free_gb:.1f} GB free in {cache}, {needed_gb:.1f} GB needed for models to fetch"

    if missing and not os.access(existing, os.W_OK):
        todo = f"make {existing} writable, or set ATONCE_CACHE to another folder"
        return Finding("disk", f"{existing} cannot be written to", todo, needed_for_ask=True)

    room = "make room there, or set ATONCE_CACHE to another folder"
    return Finding("disk", found, "" if free_gb >= needed_gb else room, needed_for_ask=True)


def voice_speed(settings: Settings) -> Iterator[Finding]:
    """Whether Piper keeps up on this machine; hibari does on nearly every one."""
    section = settings.synthesizer

    if section.engine not in ("piper", "piper-whole"):
        return

    speed = probe.voice_speed(section.engine, section.voice)

    if speed.problem:
        yield Finding("voice", f"could not be tried: {speed.problem}", "see what is said above")
        return

    found = f"first sound after {1000 * speed.first_s:.0f} ms, {speed.factor:.2f} of real time"
    slow = speed.first_s > SLOW_FIRST_SOUND_S or speed.factor > SLOW_VOICE
    todo = "a smaller voice is ten times as fast: --set synthesizer.engine=hibari" if slow else ""
    yield Finding("voice", found, todo)


def processor() -> Finding:
    """Cores that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    ok = (cores or 1) >= FEWEST_CORES
    todo = "" if ok else "expect slow answers; fewer steps help: --set llm.steps=4"
    return Finding("processor", f"{cores} cores ({platform.machine()})", todo)


def memory() -> Finding:
    """Main memory of the machine."""
    try:
        total_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (AttributeError, ValueError, OSError):  # Windows, or a system that does not tell
        return Finding("memory", "the system does not tell")

    ok = total_gb >= LEAST_MEMORY_GB
    todo = "" if ok else "close other programs; below 2 GB the engines may be stopped by the system"
    return Finding("memory", f"{total_gb:.1f} GB", todo)


def sound() -> Finding:
    """Microphones and loudspeakers; a question in a file needs neither."""
    devices = probe.sound_devices()

    if devices.problem:
        is_library = "PortAudio" in devices.problem
        return Finding("sound", devices.problem, INSTALL_PORTAUDIO if is_library else INSTALL_AGAIN)

    ok = devices.inputs > 0 and devices.outputs > 0
    todo = "" if ok else "connect a microphone and a loudspeaker; files work without them"
    return Finding("sound", f"{devices.inputs} in, {devices.outputs} out", todo)


def licences() -> Finding:
    """Under which terms the parts come."""
    return Finding(
        "licences",
        "atonce Apache-2.0; piper-tts GPL-3.0-or-later, and so is what is handed on together with "
        "it; models and voice: see `atonce models`",
    )


def _own_model(folder: Path) -> Finding:
    if folder.is_dir():
        weights = folder / "model.bin"
        found = f"{folder}: {weights.name} is {'there' if weights.is_file() else 'missing'}"
        todo = "" if weights.is_file() else "name a folder made for faster-whisper (CTranslate2)"
    elif len(folder.parts) > 2:
        found = f"{folder}: there is no such folder"
        todo = "correct transcriber.model; whisper-base is the one that atonce fetches"
    else:
        found = f"{folder}: faster-whisper looks for it on the model hub at first use"
        todo = ""

    return Finding("transcriber.model", found, todo, needed_for_ask=True)


def _own_voice(place: Path) -> Finding:
    voices = sorted(place.glob("*.onnx")) if place.is_dir() else [place]
    advice = "correct synthesizer.voice; joe is the one that atonce fetches"

    if len(voices) != 1:
        found = f"{place}: holds {len(voices)} voices (.onnx) instead of one"
        return Finding("synthesizer.voice", found, advice, needed_for_ask=True)

    files = (voices[0], voices[0].with_name(f"{voices[0].name}.json"))
    missing = [f"{path}: there is no such file" for path in files if not path.is_file()]
    found = ", ".join(missing) or f"{voices[0]}: there"
    return Finding("synthesizer.voice", found, advice if missing else "", needed_for_ask=True)


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _package(
    wanted: Requirement, installed: str | None, problems: dict[str, str]
) -> Finding | None:
    """What is wrong with one package, if anything is."""
    name, is_needed = wanted.name, wanted.name not in FOR_TALK_ONLY

    if installed is None:
        return Finding(f"package {name}", "not installed", INSTALL_AGAIN, needed_for_ask=is_needed)

    if not wanted.specifier.contains(installed, prereleases=True):
        found = f"{installed}, but {wanted.specifier} is wanted"
        return Finding(f"package {name}", found, INSTALL_AGAIN, needed_for_ask=is_needed)

    problem = problems.get(PACKAGES.get(name, name))

    if not problem:
        return None

    found = f"{installed}: {problem}"
    return Finding(f"package {name}", found, INSTALL_AGAIN, needed_for_ask=is_needed)


def _lines(finding: Finding, width: int) -> list[str]:
    mark = "ok" if finding.ok else "MISSING" if finding.needed_for_ask else "note"
    indent = " " * (9 + width + 2)
    lines = [f"{mark:<9}{finding.name:<{width}}  " + finding.found.replace("\n", "\n" + indent)]

    if finding.todo:
        lines.append(f"{indent}→ {finding.todo}")

    return lines
