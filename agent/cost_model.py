"""What every stage of a turn takes on this machine, learnt from what it took. Pure.

Rule 1. A denoising step costs by its positions and by the prompt it attends to: a line, whose shape
        is learnt slowly, times the load, which is learnt at once.
Rule 2. Where the load changes clearly, all other stages are expected to change with it: what slows
        the steps mostly slows them, too, and each of them is seen only once a turn.
Rule 3. `usual` is what to expect, `safe` what nineteen of twenty do not exceed.
Rule 4. Where nothing was asked for a while, a load is believed less and less: the first turn after
        it tries what the machine could do when it was calm. Strays are forgotten with it.
Rule 5. One outlier changes neither. What is no duration is refused and counted.
Rule 6. A reply that ends by itself takes fewer steps than K. What it mostly takes is learnt; one
        that K or a deadline ended tells only that it wanted so many at least.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import Enum

LONGEST_S = 60.0
"""Longer than this no stage works: the clock has jumped, or the machine has slept."""
LOOKED_AT = 40
"""So many of the last ones tell how far they stray: the 95th percentile leaves two of them out."""
USUAL_STRAY = 1.15
"""What nineteen of twenty stay below, as a multiple of the usual, before anything is known."""
FARTHEST_STRAY = 3.0
"""Beyond this a stage has no usual time, and nothing would fit any budget."""
DEEPEST_FALL = 1 / 3
"""How far one fast one is believed: what takes no time at all was mostly not done."""
DEEPEST_GAIN = 1 / 6
"""The same for steps that were not seen, while another stage became so much faster."""
CLEAR_FALL = 0.7
"""A smaller fall is noise."""
CLEAR_CHANGE = 1.25
"""A smaller change of the load is noise to the other stages."""
SHORTEST_S = 1e-6
"""Of anything: a clock may stand still."""
LEARNING = 0.2
"""How far one step moves the shape of the line: a wrong one is gone after some dozen turns."""
DOUBTED = 0.8
"""How much of a load is still believed after a turn without a step."""
MOST_DOUBTED = 0.1
"""So much of it is believed for ever."""
CALMNESS = 0.1
"""How far one step moves the load that shapes are seen beside."""
BOLDEST = 1.5
"""A step that strays farther from the line says more of the load than of the shape."""
REST_S = 30.0
"""Between two turns of a talk it is less: nothing is forgotten there."""
HALF_LIFE_S = 30.0
"""Beyond that, half of a load (of its logarithm) is forgotten in so long: two talks with a minute
between them meet the load of the first one for a fifth, after two minutes not at all."""
EASIEST_GROWS = 1.002
"""With every step: a machine that is always slow is no longer taken for a busy one after some
hundred replies."""
ENDED = 15
"""So many of the last replies tell how many steps one takes."""
CALM_AFTER = 3
"""The load is believed after two of three: one is an outlier."""


class Stage(Enum):
    """A part of a turn that takes time, besides the denoising steps."""

    TRANSCRIPT = "transcript"
    """From the last sample of speech to the final transcript."""
    PROMPT = "prompt"
    """Reading the question."""
    CHECK = "check"
    """The reply check."""
    CHUNK = "first chunk"
    """From the settled reply to its first sound, ready to be played."""
    PLAYBACK = "playback"
    """From there until it is audible; a reply that is held for the endpoint does not count."""


@dataclass(frozen=True, slots=True)
class Line:
    """What a step takes when nothing else is going on."""

    step_s: float
    """Of a step, whatever its size."""
    position_s: float
    """More for each canvas position of all rows."""
    prompt_s: float = 0.0
    """More for each prompt token of all rows."""

    def seconds(self, positions: float, prompt: float) -> float:
        """Of one step."""
        return self.step_s + self.position_s * positions + self.prompt_s * prompt

    def bent(self, positions: float, prompt: float, ratio: float) -> Line:
        """As it is after a step that took `ratio` times what the line says: each part moves by its
        share of that step, so no part can become negative."""
        whole = self.seconds(positions, prompt)

        def moved(part: float, times: float) -> float:
            return part * math.pow(ratio, LEARNING * part * times / whole)

        return Line(
            moved(self.step_s, 1), moved(self.position_s, positions), moved(self.prompt_s, prompt)
        )

    def times(self, factor: float) -> Line:
        """All of it, so many times."""
        return Line(self.step_s * factor, self.position_s * factor, self.prompt_s * factor)


FIRST_LINE = Line(0.006, 0.0009, 1e-6)
"""The embedded writer on two idle cores of 2.5 GHz; the first steps show how far off it is."""
FIRST_S: dict[Stage, float] = {
    Stage.TRANSCRIPT: 0.25,
    Stage.PROMPT: 0.13,
    Stage.CHECK: 0.003,
    Stage.CHUNK: 0.06,
    Stage.PLAYBACK: 0.02,
}
"""The other stages on the same machine (README)."""


class Recent:
    """One thing that is done again and again, and what it took lately."""

    def __init__(self, first: float, *, counts: int = 0) -> None:
        """first: what to expect before it was ever done; counts: as much as so many that were."""
        self._last: deque[float] = deque([first] * counts, maxlen=CALM_AFTER)
        self._strays: deque[tuple[float, float]] = deque(maxlen=LOOKED_AT)  # and the load then
        self.usual = first
        """To be expected."""
        self.stray = USUAL_STRAY
        """How many times as much nineteen of twenty stay below."""

    @property
    def safe(self) -> float:
        """What nineteen of twenty do not exceed."""
        return self.usual * self.stray

    def forget(self, share: float) -> None:
        """Keep so much of how far it strayed, 0 to 1, the latest."""
        kept = round(share * len(self._strays))
        self._strays = deque([*self._strays][len(self._strays) - kept :], maxlen=LOOKED_AT)
        self.stray = max(USUAL_STRAY, 1 + share * (self.stray - 1))

    def scale(self, times: float) -> None:
        """All that was noted would now have been so many times as much; but the last one, where it
        was that much already, had seen what others saw only later: it is no stray."""
        self.usual *= times
        values = [value * times for value in self._last]
        if self._strays and times > CLEAR_CHANGE and self._last[-1] > self.usual / math.sqrt(times):
            values[-1] = self._last[-1]
            self._strays[-1] = values[-1] / self.usual, self._strays[-1][1]

        self._last = deque(values, maxlen=CALM_AFTER)

    def note(self, value: float, *, load: float = 1.0) -> None:
        """It took so much, above 0. load: what strays under a higher one tells nothing."""
        self._last.append(value)
        middle = sorted(self._last)[len(self._last) // 2]
        # A clear fall is half believed at once: who waits for a second one gives K back too late.
        fallen = math.sqrt(max(value, middle * DEEPEST_FALL) * middle)
        before, self.usual = self.usual, fallen if value < CLEAR_FALL * middle else middle
        # Beside what was expected; but the second of a load that has come is no outlier.
        has_come = self.usual * CLEAR_FALL > before
        self._strays.append((value / (self.usual if has_come else before), load))
        self.stray = max(USUAL_STRAY, min(FARTHEST_STRAY, self._nineteen_of_twenty(load)))

    def _nineteen_of_twenty(self, load: float) -> float:
        ordered = sorted(stray for stray, under in self._strays if under <= CLEAR_CHANGE * load)
        left_out = max(1, math.ceil(len(ordered) / 20))  # one at least: it may be an outlier
        return ordered[-1 - left_out] if len(ordered) > left_out else ordered[0]


class CostModel:
    """All stages of the turns on one machine."""

    def __init__(self, line: Line = FIRST_LINE, stages: dict[Stage, float] | None = None) -> None:
        """line, stages: what to expect at first, seconds."""
        self._line = line
        self._load = Recent(1.0)
        self._usual_step = 40.0, 400.0  # positions and prompt tokens, about
        self._calm_load = 0.0  # logarithm; beside it, not beside what is new, a shape can be seen
        first = FIRST_S | (stages or {})
        # The first turn is often a slow one: two of its kind are wanted, as of any later.
        self._stages = {stage: Recent(first[stage], counts=2) for stage in Stage}
        self._seen_at = dict.fromkeys(Stage, 1.0)  # the load when each was last seen
        self._doubted = 1.0  # how much of the load is believed while no step is seen
        self._is_stale = False  # no step was seen for a turn or more
        self._gained = 1.0  # the least that a stage took of what was expected, since the last step
        self._asked_s: float | None = None  # when somebody planned last
        self._wanted: deque[int] = deque(maxlen=ENDED)  # steps of the last replies
        self._easiest = math.inf  # the lowest load, slowly forgotten
        self.steps = 0
        """Steps that were seen."""
        self.is_guessed = False
        """Steps are taken for faster only because none was seen for a while."""
        self.refused = 0
        """Durations that were none: not a number, negative, or longer than LONGEST_S."""

    @property
    def load(self) -> float:
        """How many times slower a step is than the line says."""
        return self._load.usual

    def step_s(self, positions: int, prompt: int = 0) -> float:
        """What a step is expected to take."""
        return self._line.seconds(positions, prompt) * self._load.usual * self._doubted

    def safe_step_s(self, positions: int, prompt: int = 0) -> float:
        """What nineteen of twenty such steps do not exceed."""
        return self.step_s(positions, prompt) * self._load.stray

    @property
    def wanted_steps(self) -> float:
        """How many steps a reply mostly takes, if it may; infinite while nobody knows."""
        ordered = sorted(self._wanted)
        return ordered[len(ordered) // 2] if ordered else math.inf

    def usual_s(self, stage: Stage) -> float:
        """What a stage is expected to take."""
        return self._stages[stage].usual * self._since(stage)

    def safe_s(self, stage: Stage) -> float:
        """What nineteen of twenty do not exceed."""
        return self._stages[stage].safe * self._since(stage)

    def rest(self, at_s: float) -> None:
        """Somebody plans at this moment: rule 4. A clock that jumped back changes nothing."""
        since_s = 0.0 if self._asked_s is None else at_s - self._asked_s - REST_S
        self._asked_s = at_s if math.isfinite(at_s) else self._asked_s
        if not 0 < since_s < math.inf:
            return

        share = 0.5 ** (since_s / HALF_LIFE_S)
        for known in (self._load, *self._stages.values()):
            known.forget(share)

        if self.load > self._easiest:
            self._load.scale((self._easiest / self.load) ** (1 - share))

    def note_reply(self, steps: int, *, has_ended: bool) -> None:
        """A reply took so many steps. has_ended: by itself, before K and before its deadline."""
        if steps >= 1 and (has_ended or steps > self.wanted_steps):
            self._wanted.append(steps)

    def has_changed(self, stage: Stage, seconds: float) -> bool:
        """Whether a stage that took so long took clearly longer, or shorter, than usual."""
        usual_s = self.usual_s(stage)
        return not usual_s / CLEAR_CHANGE < seconds < usual_s * CLEAR_CHANGE

    def _since(self, stage: Stage) -> float:
        """How much the load has changed since the stage was last seen, where that is clear."""
        change = self.load / self._seen_at[stage]
        return 1.0 if 1 / CLEAR_CHANGE < change < CLEAR_CHANGE else change

    def note_step(self, positions: int, prompt: int, seconds: float) -> None:
        """A step over so many positions and prompt tokens, of all rows, took so long."""
        if not self._is_duration(seconds) or positions < 1:
            return

        self.steps, self._gained, self._doubted = self.steps + 1, 1.0, 1.0
        self.is_guessed = False
        ratio = max(seconds, SHORTEST_S) / self._line.seconds(positions, prompt)
        self._load.note(ratio, load=self.load)
        self._easiest = min(self.load, self._easiest * EASIEST_GROWS)
        if self._is_stale:  # the stages have seen this load already, the steps have not
            self._seen_at = dict.fromkeys(Stage, self.load)

        apart = math.log(ratio) - self._calm_load
        self._calm_load += CALMNESS * apart
        self._learn_shape(
            positions, prompt, math.exp(min(math.log(BOLDEST), max(-math.log(BOLDEST), apart)))
        )

    def _learn_shape(self, positions: int, prompt: int, ratio: float) -> None:
        """Bend the line about the usual step, which costs what it did: its size is the load's."""
        mean, of_prompt = self._usual_step
        mean += CALMNESS * (positions - mean)
        of_prompt += CALMNESS * (prompt - of_prompt)
        self._usual_step = mean, of_prompt
        bent = self._line.bent(positions, prompt, ratio)
        same = self._line.seconds(mean, of_prompt) / bent.seconds(mean, of_prompt)
        self._line = bent.times(same)

    def doubt(self) -> None:
        """A turn went by without a step: whether they are still as slow, nobody knows; what other
        stages have gained since may hold for them, too."""
        gained = max(DEEPEST_GAIN, min(DOUBTED, self._gained))
        self._is_stale, self.is_guessed = True, gained == DOUBTED
        self._doubted, self._gained = max(MOST_DOUBTED, self._doubted * gained), 1.0

    def note(self, stage: Stage, seconds: float) -> None:
        """A stage took so long."""
        if self._is_duration(seconds):
            known, times = self._stages[stage], self._since(stage)
            # A stage that the load spared is nearer to what it took before.
            follows = max(seconds, SHORTEST_S) / known.usual / math.sqrt(times)
            known.scale(times if (follows > 1) == (times > 1) else 1.0)
            self._seen_at[stage] = self.load
            self._is_stale &= stage is not Stage.CHECK  # the steps of a turn are over
            if stage is not Stage.CHECK:  # no time at all, where nothing was written
                self._gained = min(self._gained, max(seconds, SHORTEST_S) / known.usual)

            known.note(max(seconds, SHORTEST_S), load=self.load)

    def _is_duration(self, seconds: float) -> bool:
        is_one = math.isfinite(seconds) and 0 <= seconds <= LONGEST_S
        self.refused += not is_one
        return is_one
