"""Try things that may crash, in a process of their own: imports, and the system's sound devices.

A package built for another processor ends the process that imports it, and sound libraries write
to the terminal: neither must happen to whoever asks.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

LONGEST_S = 120.0
"""Importing everything takes seconds; a slow disk on first use takes longer."""

_MARK = "tried: "
"""Tells the results from what packages print."""
_IMPORT = """
import importlib, json, sys
def tell(name, problem):
    print("\\n" + sys.argv[2] + json.dumps([name, problem]), flush=True)
for name in json.loads(sys.argv[1]):
    try:
        importlib.import_module(name)
        problem = ""
    except BaseException as error:
        problem = f"{type(error).__name__}: {error}"
    tell(name, problem)
"""
_SOUND = """
import json
try:
    import sounddevice
    devices = list(sounddevice.query_devices())
    counts = [sum(1 for device in devices if device[key] > 0)
              for key in ("max_input_channels", "max_output_channels")]
    print(json.dumps([*counts, ""]))
except Exception as error:
    print(json.dumps([0, 0, str(error) or type(error).__name__]))
"""
_VOICE = """
import json, sys, time
from atonce.config.load import defaults
from atonce.config.registry import find
chosen = {"engine": sys.argv[1], "voice": sys.argv[2]}
section = defaults().settings.synthesizer.model_copy(update=chosen)
mouth = find("synthesizer", section.engine).from_settings(section)
tries = []
for _ in range(3):
    begun, first, sound = time.perf_counter(), 0.0, 0.0
    for piece in mouth.synthesize(sys.argv[3]):
        first = first or time.perf_counter() - begun
        sound += piece.seconds
    tries.append((first, (time.perf_counter() - begun) / sound))
print(json.dumps(min(tries)))
"""
_VOICE_TEXT = "The museum is open from ten to five, and it is free."


@dataclass(frozen=True, slots=True)
class VoiceSpeed:
    """How fast the voice is on this machine, at this moment."""

    first_s: float
    """From a sentence of twelve words to its first sound."""
    factor: float
    """Seconds of computing for a second of sound."""
    problem: str = ""
    """Why nobody knows; empty where it was measured."""


@dataclass(frozen=True, slots=True)
class SoundDevices:
    """What the system offers to hear and to speak with."""

    inputs: int
    """Devices that record."""
    outputs: int
    """Devices that play."""
    problem: str = ""
    """Why they cannot be asked for; empty where they can."""


def import_problems(modules: Sequence[str]) -> dict[str, str]:
    """For every module what went wrong when it was imported; empty where nothing did."""
    left = list(modules)
    problems: dict[str, str] = {}

    while left:
        output, ending = _run(_IMPORT, json.dumps(left), _MARK)
        done = _results(output)
        stopped = [name for name in left if name not in done][:1]
        problems.update(done)
        problems.update((name, f"its import ended the process ({ending})") for name in stopped)
        left = [name for name in left if name not in problems]

    return problems


def sound_devices() -> SoundDevices:
    """How many there are, or why nobody knows."""
    output, ending = _run(_SOUND)
    lines = output.splitlines()
    return SoundDevices(*json.loads(lines[-1])) if lines else SoundDevices(0, 0, ending)


def voice_speed(engine: str, voice: str) -> VoiceSpeed:
    """The best of three tries; takes some seconds."""
    output, ending = _run(_VOICE, engine, voice, _VOICE_TEXT)
    lines = output.splitlines()

    try:
        return VoiceSpeed(*json.loads(lines[-1]))
    except (IndexError, ValueError, TypeError):
        return VoiceSpeed(0.0, 0.0, ending)


def _results(output: str) -> dict[str, str]:
    """What the import program told; what packages print on import is left out."""
    lines = [line.removeprefix(_MARK) for line in output.splitlines() if line.startswith(_MARK)]
    return dict(json.loads(line) for line in lines)


def _run(program: str, *arguments: str) -> tuple[str, str]:
    """Standard output of a small program, and how it ended."""
    try:
        # -P: the folder that the command was started in must not hide a package of the same name.
        done = subprocess.run(
            [sys.executable, "-P", "-c", program, *arguments],
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        output = error.stdout or b""
        text = output.decode() if isinstance(output, bytes) else output
        return text, f"not done after {LONGEST_S:.0f} s"

    ending = f"signal {-done.returncode}" if done.returncode < 0 else f"code {done.returncode}"
    return done.stdout, ending
