"""`atonce race`: the denoiser and its autoregressive rival write the reply to one question.

Both get the same prompt; role and facts are read before, as when an agent starts. They take turns
in one thread, a denoising step or a token at a time, and each has a watch of its own that runs only
while it works. Who is behind on its watch goes next: so the screen shows at every moment what two
machines like this one, side by side, would show.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from atonce.agent.knowledge import build_prompt
from atonce.agent.reply import plan_of
from atonce.agent.reply_check import check
from atonce.config import models, registry
from atonce.config.errors import EngineError
from atonce.config.load import load
from atonce.llm.protocols import Draft, Plan, Prompt, PromptCache, Writer

if TYPE_CHECKING:
    from atonce.config.schema import Settings

WARM_UP = "Hello there, how are you today?"


@dataclass(frozen=True, slots=True)
class Lane:
    """How far one writer has come."""

    name: str
    """Engine name."""
    seconds: float
    """On its own watch: reading the question and writing."""
    reading_s: float
    """Of these, what reading the question took; 0 until it has been read."""
    draft: Draft | None
    """The last draft; None before the first."""
    is_finished: bool
    """The reply is whole."""
    fastest_s: float = math.inf
    """The fastest of its steps: what it can do when nobody else is at work."""

    @property
    def text(self) -> str:
        """The reply so far."""
        return self.draft.text if self.draft else ""

    @property
    def writing_s(self) -> float:
        """What writing took."""
        return self.seconds - self.reading_s

    @property
    def steps(self) -> int:
        """Denoising steps or tokens that were done; the rival's end mark is one."""
        return self.draft.step if self.draft else 0

    @property
    def step_s(self) -> float:
        """What one of them took, on average."""
        return self.writing_s / max(1, self.steps)


@dataclass(frozen=True, slots=True)
class Bound:
    """What the rival cannot be faster than."""

    weights: int
    """Bytes that are read for every token."""
    bytes_s: float
    """Bytes that this machine reads from memory in a second, measured just before."""

    def share(self, token_s: float) -> float:
        """How much of the possible speed was reached, 0 to 1."""
        return self.weights / self.bytes_s / token_s


class Runner:
    """One writer with its watch."""

    def __init__(
        self, writer: Writer, prompt: Prompt, plan: Plan, clock: Callable[[], float]
    ) -> None:
        self._writer, self._prompt, self._plan, self._clock = writer, prompt, plan, clock
        self._cache: PromptCache | None = None
        self._drafts: Iterator[Draft] = iter(())
        self.lane = Lane(writer.name, 0.0, 0.0, None, is_finished=False)

    def advance(self) -> None:
        """Read the question, or do one more step."""
        start, draft, fastest_s = self._clock(), self.lane.draft, self.lane.fastest_s
        if self._cache is None:
            self._cache = self._writer.read(self._prompt)
            self._drafts = self._writer.write(self._cache, self._plan)
            reading_s, is_finished = self._clock() - start, False
        else:
            reading_s, new = self.lane.reading_s, next(self._drafts, None)
            draft = new or draft
            is_finished = new is None or new.is_finished
            fastest_s = min(fastest_s, self._clock() - start)

        seconds = self.lane.seconds + self._clock() - start
        self.lane = Lane(self.lane.name, seconds, reading_s, draft, is_finished, fastest_s)


def run_race(
    writers: Sequence[Writer],
    prompt: Prompt,
    plan: Plan,
    clock: Callable[[], float],
    show: Callable[[Sequence[Lane]], None],
) -> list[Lane]:
    """Let them write; `show` sees the lanes after every step, on nobody's watch."""
    runners = [Runner(writer, prompt, plan, clock) for writer in writers]
    while running := [runner for runner in runners if not runner.lane.is_finished]:
        min(running, key=lambda runner: runner.lane.seconds).advance()
        show([runner.lane for runner in runners])

    return [runner.lane for runner in runners]


def tokens_of(lane: Lane) -> int:
    """Tokens of the reply, the end mark not counted."""
    cells = lane.draft.cells if lane.draft else ()
    return sum(bool(cell.text) and not cell.is_open for cell in cells)


def verdict(denoiser: Lane, rival: Lane, bound: Bound | None) -> list[str]:
    """Who won and why at this length, in sentences; bound: of the rival, None: not known."""
    ours, theirs = 1000 * denoiser.seconds, 1000 * rival.seconds
    winner = denoiser.name if ours < theirs else rival.name
    fast, slow = sorted((ours, theirs))
    positions = len(denoiser.draft.cells) if denoiser.draft else 0
    # Reading counts as in the result, and one pass of the rival is its end mark.
    even = max(0.0, (denoiser.seconds - rival.reading_s) / max(1e-9, rival.step_s) - 1)
    level = f"{even:.0f} token{'' if round(even) == 1 else 's'}"
    lines = [f"{winner} won: {fast:.0f} ms against {slow:.0f} ms"]
    lines.append(
        f"{denoiser.name} did {denoiser.steps} steps of {1000 * denoiser.step_s:.0f} ms on all "
        f"{positions} positions at once: a reply of {tokens_of(denoiser)} tokens takes as long as "
        "any other"
    )
    lines.append(
        f"{rival.name} did {rival.steps} passes of {1000 * rival.step_s:.0f} ms, one for each "
        "token and one for the end: its time grows with the reply"
    )
    lines.append(
        f"at these speeds both take as long for {level}: below that {rival.name} wins, "
        f"above it {denoiser.name}"
    )
    if bound:
        lines.append(
            f"every pass of {rival.name} reads {bound.weights / 1e6:.0f} MB of weights: it ran at "
            f"{100 * bound.share(rival.step_s):.0f} % of what this memory allows, "
            f"{100 * bound.share(rival.fastest_s):.0f} % in its fastest pass "
            f"({bound.bytes_s / 1e9:.1f} GB/s, measured just before)"
        )

    return lines


def run(
    question: str,
    *,
    config: Path | None,
    overrides: Sequence[str],
    is_zero_shot: bool,
    is_json: bool,
) -> int:
    """Race over one question; the exit code."""
    settings = load(config, overrides).settings
    from atonce.agent.race_screen import RaceScreen

    with RaceScreen(is_silent=is_json) as screen:
        needed = (*registry.models("llm", settings.llm), *registry.EMBEDDED)
        models.ensure(needed, screen.say)
        writers, bound = line_up(settings, is_zero_shot=is_zero_shot)
        plan = plan_of(settings.llm)
        warm_up(writers, settings, plan)
        prompt = build_prompt(settings.agent.role, settings.agent.facts, question)
        lanes = run_race(writers, prompt, plan, time.perf_counter, screen.show)

    if is_json:
        said = {
            "question": prompt.question,
            "lanes": [summary_of(lane, prompt) for lane in lanes],
            "rival_roofline": round(bound.share(lanes[1].step_s), 3),
            "rival_roofline_fastest": round(bound.share(lanes[1].fastest_s), 3),
        }
        sys.stdout.write(json.dumps(said, ensure_ascii=False) + "\n")
    else:
        checks = [check(lane.text, prompt=prompt).passes for lane in lanes]
        screen.show_result(lanes, checks, verdict(lanes[0], lanes[1], bound))

    return 0


def line_up(settings: Settings, *, is_zero_shot: bool) -> tuple[list[Writer], Bound]:
    """The engine of the settings and its rival, loaded; and what bounds the rival here.

    EngineError: the engine is no denoiser.
    """
    import torch

    from atonce.llm.autoregressive import AutoregressiveWriter, prompt_reader
    from atonce.llm.roofline import measure_reading
    from atonce.llm.twin import SHIPPED_TWIN

    engine: Writer = registry.find("llm", settings.llm.engine).from_settings(settings.llm)
    if isinstance(engine, AutoregressiveWriter):
        raise EngineError(
            f"the engine {settings.llm.engine} writes word by word, as the rival does: a race "
            "wants a denoiser, such as embedded (llm.engine)"
        )

    twin = None if is_zero_shot else SHIPPED_TWIN
    rival = AutoregressiveWriter(
        prompt_reader(settings.llm), twin=twin, precision=settings.llm.precision
    )
    bytes_s = measure_reading(torch.device("cpu"), tries=3)
    return [engine, rival], Bound(rival.decoder.weights, bytes_s)


def warm_up(writers: Sequence[Writer], settings: Settings, plan: Plan) -> None:
    """A lap that does not count: role and facts are read, weights are brought into memory."""
    prompt = build_prompt(settings.agent.role, settings.agent.facts, WARM_UP)
    for writer in writers:
        for _ in writer.write(writer.read(prompt), plan):
            pass


def summary_of(lane: Lane, prompt: Prompt) -> dict[str, object]:
    """One lane for a program to read."""
    return {
        "engine": lane.name,
        "reply": lane.text,
        "passes_check": check(lane.text, prompt=prompt).passes,
        "ms": round(1000 * lane.seconds, 1),
        "reading_ms": round(1000 * lane.reading_s, 1),
        "steps": lane.steps,
        "tokens": tokens_of(lane),
    }
