"""The watchdog: holds the time to the first sound inside a budget, by what a reply may cost. Pure.

Rule 1. When the transcript is there, the reply gets the highest rung (ladder.py) that fits what is
        left of the budget; reading, check, first chunk and playback are set aside first. Rows plan
        anew before every step, and the deadline of the plan closes a reply that got slow.
Rule 2. Down at once: a plan that does not fit, or a mark that was missed, costs rungs in the same
        turn. Up in two strides, half of the way and then the rest, and only where the higher rung
        fits with a margin; it grows with every rise that did not last, so that K does not swing.
Rule 3. Every decision says why. One that goes below `llm.min_steps` says that, too.
Rule 4. An acknowledgement is said in few of the turns that something was given up in, only where
        the reply comes when it is over, never to who may go on speaking; it is no first audio.
Rule 5. Within the silence that tells the end of speech nobody waits: there K may be above
        `llm.steps`, up to `llm.max_steps`.
"""

from __future__ import annotations

import math
from dataclasses import replace

from atonce.agent.cost_model import CostModel, Stage
from atonce.agent.ladder import TOLD, Given, Rung, ladder
from atonce.agent.timeline import Timeline
from atonce.agent.watchdog_rules import Decision, Left, WatchdogRules
from atonce.llm.pace import steps_within

MARGIN = 1.15
"""A higher rung must fit so many times: the noise of a step is about a tenth."""
MARGIN_GROWS = 1.15
"""With every rise that did not last."""
WIDEST_MARGIN = 1.6
"""A load that ends takes at least so much of a step's time away."""
LASTS_TURNS = 5
"""A rise that is taken back within so many turns did not last."""
FORGETS_TURNS = 12
"""After so many turns without one, a failed rise is forgiven."""
AFTER_WRITING = (Stage.CHECK, Stage.CHUNK, Stage.PLAYBACK)
"""What still takes time when the last step is done."""


class Watchdog:
    """Of one session; sessions on one machine share the costs."""

    def __init__(self, rules: WatchdogRules, costs: CostModel | None = None) -> None:
        """costs: what is known of this machine."""
        self.rules = rules
        self.costs = costs or CostModel()
        plan = rules.plan
        self._ladder = ladder(
            steps=plan.steps,
            min_steps=plan.min_steps,
            canvas=plan.canvas,
            shortest=rules.shortest,
            last=rules.last,
        )
        self._bottom = max(i for i, r in enumerate(self._ladder) if r.given < Given.PROMPTNESS)
        self._rung = 0
        self._turns = self._lowered = self._acknowledged = 0
        self._failed = 0
        self._rose_at = self._failed_at = -FORGETS_TURNS
        self._missed = False
        self._promised = True  # the plan of this turn was to fit
        self._steps_seen = -1  # by the time of the last plan

    # ---- what is allowed meanwhile ----

    @property
    def given(self) -> Given:
        """What is given up at present."""
        return self._ladder[self._rung].given

    def keeps(self, what: Given) -> bool:
        """Whether this has not been given up: early drafts, partial transcripts …"""
        return self.given < what

    # ---- the budget ----

    def smallest_s(self, prompt: int = 0) -> float:
        """The smallest budget that some plan with `min_steps` meets."""
        costs, rung = self.costs, self._ladder[self._bottom]
        before_s = costs.usual_s(Stage.TRANSCRIPT) + costs.usual_s(Stage.PROMPT)
        after_s = sum(costs.usual_s(stage) for stage in AFTER_WRITING)
        steps_s = rung.steps * costs.step_s(rung.canvas, prompt)
        heard_s = self.rules.endpoint_s + costs.usual_s(Stage.PLAYBACK)
        return max(heard_s, before_s + steps_s + after_s)

    def complaint(self, prompt: int = 0) -> str | None:
        """What is to be said at the start of a budget that no plan meets; None: one does."""
        smallest_s, budget_s = self.smallest_s(prompt), self.rules.first_audio_s
        if smallest_s <= budget_s:
            return None

        return (
            f"watchdog.first_audio_ms is {1000 * budget_s:.0f}, but with llm.min_steps "
            f"{self.rules.plan.min_steps} this machine needs about {1000 * smallest_s:.0f} ms: "
            f"set it to {math.ceil(100 * smallest_s) * 10} or more (`atonce tune` measures it)"
        )

    # ---- one turn ----

    def plan(
        self,
        at_s: float,
        *,
        spoken_end_s: float,
        prompt: int = 0,
        beside: int = 0,
        is_read: bool = False,
        release_s: float | None = None,
    ) -> Decision:
        """How the reply of this turn is written.

        prompt: tokens. beside: positions of the rows that run already. is_read: the prompt is in
        the cache. release_s: before that moment the reply may not be heard; None: at once.
        """
        self._turns += 1
        self.costs.rest(at_s)
        if self._ladder[self._rung].given is Given.WRITER and self.costs.steps == self._steps_seen:
            self.costs.doubt()

        self._steps_seen = self.costs.steps
        left = self._left(at_s, spoken_end_s, prompt, beside, is_read=is_read)
        left = replace(left, is_early=release_s is not None)
        before = self._rung
        self._rung = self._choose(left)
        self._lowered += self.given >= Given.STEPS
        self._remember(before)
        self._missed = False
        decision = self._decision(self._ladder[before], self._ladder[self._rung], left)
        if release_s is None or self.given >= Given.STEPS:
            return decision

        return self._with_free_steps(decision, left, release_s)

    def heard(self, first_audio_s: float | None, *, ready_s: float | None = None) -> bool:
        """The turn is over; first_audio_s: since the last sample of speech, None: never came.
        ready_s: when it could have been heard, where it was held for the endpoint.

        Whether it was late. Where the plan was to fit, the next one is a rung lower.
        """
        budget_s = self.rules.first_audio_s
        is_late = first_audio_s is None or not first_audio_s <= budget_s
        was_ready = ready_s is not None and ready_s <= budget_s
        self._missed = is_late and self._promised and not was_ready
        return is_late

    def learn(self, timeline: Timeline, *, canvas: int, prompt: int = 0) -> bool:
        """A whole turn is over: what its stages took; whether its first audio was late."""
        self.note_costs(timeline, canvas=canvas, prompt=prompt)
        marks = timeline.marks_s
        is_held = marks.get("endpointed", 0.0) > marks.get("first_chunk", math.inf)
        return self.heard(timeline.first_audio_s, ready_s=marks["first_chunk"] if is_held else None)

    def note_costs(
        self, timeline: Timeline, *, canvas: int, prompt: int = 0, begun_s: float = 0.0
    ) -> None:
        """What the stages of a turn took, as far as it came; steps first, since they tell the load
        that the other stages were under, too. begun_s: of the reply, since zero."""
        steps_s, stages_s = timeline.steps_s(), dict(timeline.durations_s(begun_s=begun_s))
        read_s = stages_s.get(Stage.PROMPT)
        if len(steps_s) == 1 and read_s and self.costs.has_changed(Stage.PROMPT, read_s):
            steps_s *= 2  # reading and step are two that tell the same

        for seconds in steps_s:
            self.costs.note_step(canvas, prompt, seconds)

        for stage, seconds in stages_s.items():
            self.costs.note(stage, seconds)

    # ---- inside ----

    def _left(
        self, at_s: float, spoken_end_s: float, prompt: int, beside: int, *, is_read: bool
    ) -> Left:
        """What is left of the budget for steps."""
        budget_s = self.rules.first_audio_s
        passed_s = at_s - spoken_end_s
        if not 0 <= passed_s <= 2 * budget_s:  # the clock has jumped, or nobody knows: begin anew
            late = math.isfinite(passed_s) and passed_s > 0
            passed_s = min(budget_s, self.costs.usual_s(Stage.TRANSCRIPT)) if not late else budget_s

        stages = AFTER_WRITING if is_read else (Stage.PROMPT, *AFTER_WRITING)
        usual_s = [self.costs.usual_s(stage) for stage in stages]
        strays_s = [self.costs.safe_s(s) - u for s, u in zip(stages, usual_s, strict=True)]
        # They hardly ever stray all at once.
        ahead_s = sum(usual_s) + math.hypot(*strays_s)
        canvas = self.rules.plan.canvas + beside
        stray_s = self.costs.safe_step_s(canvas, prompt) - self.costs.step_s(canvas, prompt)
        left_s = budget_s - passed_s - ahead_s - stray_s  # the last step cannot be taken back
        return Left(at_s, at_s - passed_s, left_s, ahead_s, sum(usual_s), beside, prompt)

    def _cost_s(self, rung: Rung, left: Left) -> float:
        """What a rung takes before the first sound, its rivals' share included."""
        return self._steps_s(rung, left) * rung.rivalry

    def _steps_s(self, rung: Rung, left: Left) -> float:
        """What the steps of a reply are expected to take; should it want more, the deadline ends
        it."""
        step_s = self.costs.step_s(rung.canvas + left.beside, left.prompt)
        return rung.before_sound(self.costs.wanted_steps) * step_s

    def _fitting(self, left: Left, margin: float = 1.0) -> int:
        """The highest rung that fits; the lowest where none does."""
        last = len(self._ladder) - 1
        for number, rung in enumerate(self._ladder):
            cost_s = self._cost_s(rung, left)
            if rung.given is Given.PROMPTNESS:
                if self._may_acknowledge(left, cost_s):
                    return number

                continue

            # K did not make the other stages miss: their margin does not grow.
            more_s = (min(margin, MARGIN) - 1) * left.ahead_s
            if cost_s * margin + more_s <= left.seconds:
                return number

        return last

    def _choose(self, left: Left) -> int:
        """The rung of this turn: rule 2."""
        fitting = self._fitting(left)
        if self._missed:  # what was expected was too little: one rung more than it says
            fitting = max(fitting, min(self._rung + 1, self._bottom))

        if fitting >= self._rung:
            return fitting

        eager = min(self._rung, self._fitting(left, self._margin))
        if self._rung > self._bottom:  # it comes late, or without a step: up at once
            return self._from_below(fitting, eager)

        is_due = self._rose_at == self._turns - 1
        return eager if is_due else self._rung - math.ceil((self._rung - eager) / 2)

    def _from_below(self, fitting: int, eager: int) -> int:
        """From a rung that is no matter of what fits; nothing is acknowledged that fits."""
        if fitting > self._bottom:
            return eager

        if self.costs.is_guessed:  # a few steps will show it
            return self._bottom

        return min(eager, self._bottom)  # what fits without a margin gets no other K

    @property
    def _margin(self) -> float:
        return min(WIDEST_MARGIN, MARGIN * MARGIN_GROWS**self._failed)

    def _remember(self, before: int) -> None:
        """Count rises that did not last, and forgive old ones."""
        late = self._bottom + 1  # from there on down it is no matter of what fits
        has_failed = before < min(self._rung, self._bottom)  # below, K is the same
        if min(self._rung, late) < min(before, late):
            self._rose_at = self._turns
        elif has_failed and self._turns - self._rose_at <= LASTS_TURNS:
            self._failed, self._failed_at = self._failed + 1, self._turns
            self._rose_at = -FORGETS_TURNS
        elif self._failed and self._turns - self._failed_at >= FORGETS_TURNS:
            self._failed, self._failed_at = self._failed - 1, self._turns

    def _may_acknowledge(self, left: Left, cost_s: float) -> bool:
        """Rule 4. cost_s: what the steps of the reply take."""
        is_rare = self._acknowledged + 1 <= self.rules.acknowledged_share * (self._lowered + 1)
        comes_after = left.usual_s + cost_s >= self.rules.acknowledgement_s
        return is_rare and comes_after and not left.is_early

    def _decision(self, before: Rung, rung: Rung, left: Left) -> Decision:
        acknowledges = rung.given is Given.PROMPTNESS
        self._acknowledged += acknowledges
        step_s = self.costs.step_s(rung.canvas + left.beside, left.prompt)
        needed_s = self._steps_s(rung, left)
        self._promised = needed_s <= left.seconds
        deadline_s = self._deadline_s(rung, left, step_s)
        wanted, is_bare = self.rules.plan, rung.given is Given.WRITER
        plan = replace(
            wanted,
            steps=rung.steps,
            canvas=rung.canvas,
            shortest=self.rules.shortest,
            min_steps=1 if is_bare else max(1, min(rung.steps, wanted.min_steps)),
            deadline_s=deadline_s if math.isfinite(deadline_s) else None,  # there is no clock
        )
        now_s = left.at_s - left.spoken_end_s
        expected_s = max(self.rules.endpoint_s, now_s + needed_s + left.ahead_s)
        reason = self._reason(before, rung, step_s, left)
        return Decision(plan, rung.given, reason, expected_s, rung != before, acknowledges)

    def _deadline_s(self, rung: Rung, left: Left, step_s: float) -> float:
        """When the last step has to be done; where that is past, when the least can be."""
        until_s = left.spoken_end_s + self.rules.first_audio_s
        after_s = sum(self.costs.safe_s(stage) for stage in AFTER_WRITING)
        least_s = left.ahead_s + rung.steps * step_s
        is_late = rung.given > Given.CANVAS or not self._promised
        return max(until_s - after_s, left.at_s + least_s) if is_late else until_s - after_s

    def _with_free_steps(self, decision: Decision, left: Left, release_s: float) -> Decision:
        """Rule 5."""
        plan = decision.plan
        step_s = self.costs.safe_step_s(plan.canvas + left.beside, left.prompt)
        free = steps_within(release_s - left.at_s - left.ahead_s, step_s)
        steps = max(plan.steps, min(self.rules.max_steps, free))
        if steps == plan.steps:
            return decision

        reason = f"K {steps}: the endpoint leaves time for more than {plan.steps}"
        return replace(decision, plan=replace(plan, steps=steps), reason=reason)

    def _reason(self, before: Rung, rung: Rung, step_s: float, left: Left) -> str:
        figures = f"step {1000 * step_s:.0f} ms, {1000 * left.seconds:.0f} ms left"
        words = TOLD[rung.given]
        if rung.given in (Given.STEPS, Given.NOTHING) and before.steps != rung.steps:
            words = f"K {before.steps} → {rung.steps}"
        elif rung.given is Given.CANVAS and before.canvas != rung.canvas:
            words = f"canvas {before.canvas} → {rung.canvas}"

        words = words.format(steps=rung.steps, canvas=rung.canvas)
        if rung.given is Given.WRITER:
            words += f", below llm.min_steps {self.rules.plan.min_steps}"

        return f"{words}: {figures}"
