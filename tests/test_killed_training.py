"""The training scripts, whole and each in a process of its own: killed, they go on as if nothing
had happened."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

SCRIPT = Path(__file__).with_name("train_tiny.py")
STEPS = "8"
PACK = """
pack: {name}
role: a guide
slots:
  adult: {{kind: money, from: 3, to: 9}}
facts:
  tickets: A ticket costs {{adult}}.
  hours: From 9 to 5.
  dogs: No dogs in here.
  cafe: Soup and tea at the bar.
dialogues:
  - turns:
      - ask: ["price?", "how much is a ticket"]
        reply: ["It costs {{adult}}."]
        facts: [tickets]
        must: ["{{adult}}"]
      - ask: ["when?", "from when"]
        reply: ["From 9 to 5."]
        facts: [hours]
        must: ["9"]
  - turns:
      - ask: ["is there a pool", "pool?"]
        reply: ["I don't know."]
        facts: []
        unknown: true
"""


def lay_out(folder: Path) -> None:
    """Two packs to learn from, two to check with."""
    for part in ("train", "dev"):
        (folder / "corpus" / part).mkdir(parents=True)
        for name in ("kiosk", "desk"):
            path = folder / "corpus" / part / f"{part}-{name}.yaml"
            path.write_text(PACK.format(name=path.stem), encoding="utf-8")


def train(kind: str, folder: Path, gguf: Path, *death: str) -> int:
    """One process; its exit status."""
    command = [sys.executable, str(SCRIPT), kind, str(folder), str(gguf), STEPS, *death]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def state_of(kind: str, folder: Path) -> Any:
    """What the script kept."""
    name = {"writer": "state.pt", "finder": "finder.pt", "twin": "twin/state.pt"}[kind]
    return torch.load(folder / "training" / name, weights_only=True)


def flat(state: Any) -> list[Any]:
    """All tensors and numbers of a state, in a fixed order."""
    if isinstance(state, dict):
        return [part for key in sorted(state, key=str) for part in flat(state[key])]

    if isinstance(state, list | tuple):
        return [part for one in state for part in flat(one)]

    return [state]


@pytest.mark.parametrize("kind", ["writer", "finder", "twin"])
def test_a_script_that_is_killed_while_it_learns_and_while_it_saves_ends_with_the_same_weights(
    kind: str, tiny_gguf: Path, tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        lay_out(folder)

    assert train(kind, whole, tiny_gguf) == 0
    assert train(kind, killed, tiny_gguf, "learning", "4") == -signal.SIGKILL
    after_first = state_of(kind, killed)["step"]
    assert train(kind, killed, tiny_gguf, "saving", "2") == -signal.SIGKILL
    after_second = state_of(kind, killed)["step"]
    assert train(kind, killed, tiny_gguf) == 0

    assert 0 < after_first < after_second < int(STEPS)
    expected, reached = flat(state_of(kind, whole)), flat(state_of(kind, killed))
    assert len(expected) == len(reached)
    for one, other in zip(expected, reached, strict=True):
        assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other


def test_a_fit_that_is_killed_goes_on_with_the_packs_that_were_not_seen_yet(
    tiny_gguf: Path, tmp_path: Path
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        lay_out(folder)

    assert train("gaze", whole, tiny_gguf) == 0
    assert train("gaze", killed, tiny_gguf, "saving", "2") == -signal.SIGKILL
    (kept,) = (killed / "training" / "gaze").rglob("*.pt")
    seen_at = kept.stat().st_mtime_ns
    assert train("gaze", killed, tiny_gguf) == 0

    assert kept.stat().st_mtime_ns == seen_at  # it was not looked at again
    name = "gaze.safetensors"
    assert (whole / name).read_bytes() == (killed / name).read_bytes()
