"""What the watchdog makes of turns that are over, of odd clocks, and of budgets nobody can keep."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from atonce.agent.cost_model import CostModel, Stage
from atonce.agent.ladder import Given
from atonce.agent.timeline import Timeline
from atonce.agent.watchdog import Watchdog
from atonce.agent.watchdog_rules import WatchdogRules
from atonce.llm.protocols import Plan

RULES = WatchdogRules(1.3, Plan(8, 40, min_steps=2), max_steps=16)
PROMPT = 400


def test_a_budget_that_no_plan_meets_is_told_with_the_smallest_that_can() -> None:
    tight = Watchdog(replace(RULES, first_audio_s=0.2))
    told = tight.complaint(PROMPT)
    assert told is not None
    assert "watchdog.first_audio_ms is 200" in told
    smallest_ms = int(told.split("set it to ")[1].split()[0])
    enough = Watchdog(replace(RULES, first_audio_s=smallest_ms / 1000))
    assert enough.complaint(PROMPT) is None
    assert Watchdog(RULES).complaint(PROMPT) is None


@pytest.mark.parametrize("spoken_end_s", [200.0, math.nan, math.inf, -math.inf])
def test_a_clock_that_jumped_back_gives_the_usual_plan(spoken_end_s: float) -> None:
    watchdog = Watchdog(RULES)
    decision = watchdog.plan(100.0, spoken_end_s=spoken_end_s, prompt=PROMPT)
    assert decision.plan.deadline_s is not None
    assert math.isfinite(decision.plan.deadline_s)
    if spoken_end_s != -math.inf:
        assert decision.plan.steps >= 7


ODD = (math.nan, math.inf, -math.inf, 1e300, -1e300, 0.0, 100.0)


@pytest.mark.parametrize("at_s", ODD)
@pytest.mark.parametrize("release_s", [None, math.nan, math.inf, -math.inf, 100.4])
def test_whatever_a_clock_says_there_is_a_plan(at_s: float, release_s: float | None) -> None:
    for spoken_end_s in ODD:
        decision = Watchdog(RULES).plan(at_s, spoken_end_s=spoken_end_s, release_s=release_s)
        deadline_s = decision.plan.deadline_s
        assert deadline_s is None if not math.isfinite(at_s) else math.isfinite(deadline_s or 0.0)
        assert 1 <= decision.plan.steps <= RULES.max_steps


def test_a_clock_that_jumped_ahead_still_gives_a_deadline_to_come() -> None:
    decision = Watchdog(RULES).plan(5000.0, spoken_end_s=100.0, prompt=PROMPT)
    assert decision.plan.deadline_s is not None
    assert decision.plan.deadline_s > 5000.0


def test_a_turn_that_was_never_heard_is_late_and_the_next_one_is_lower() -> None:
    watchdog = Watchdog(replace(RULES, first_audio_s=1.5))
    watchdog.plan(100.25, spoken_end_s=100.0, prompt=PROMPT)
    halted = Timeline(100.0)
    halted.mark("transcript_final", at_s=100.25)
    halted.mark("prompt_read", at_s=100.4)
    assert watchdog.learn(halted, canvas=40, prompt=PROMPT)
    following = watchdog.plan(110.25, spoken_end_s=110.0, prompt=PROMPT)
    assert following.given > Given.NOTHING


def slow_turn(slow: float, *, steps: int = 4) -> Timeline:
    """Its marks on a machine that is so many times slower."""
    timeline, now_s = Timeline(0.0), 0.4 * slow
    timeline.mark("transcript_final", at_s=now_s)
    timeline.mark("prompt_read", at_s=now_s + 0.2 * slow)
    now_s += 0.2 * slow
    for n in range(1, steps + 1):
        timeline.draft(at_s=now_s + n * 0.1 * slow)

    now_s += 0.1 * steps * slow
    timeline.mark("reply_checked", at_s=now_s + 0.01 * slow)
    timeline.mark("first_chunk", at_s=now_s + 0.1 * slow)
    timeline.mark("first_audio", at_s=now_s + 0.12 * slow)
    return timeline


@pytest.mark.parametrize("slow", [0.5, 2.0, 4.0])
def test_what_is_slow_from_the_first_turn_on_is_not_counted_twice(slow: float) -> None:
    watchdog = Watchdog(RULES, CostModel())
    for _ in range(2):
        watchdog.learn(slow_turn(slow), canvas=40, prompt=PROMPT)

    assert watchdog.costs.usual_s(Stage.TRANSCRIPT) == pytest.approx(0.4 * slow)
    assert watchdog.costs.usual_s(Stage.PROMPT) == pytest.approx(0.2 * slow)


def test_one_step_is_believed_where_the_reading_before_it_was_as_slow() -> None:
    watchdog = Watchdog(RULES, CostModel())
    for _ in range(10):
        watchdog.learn(slow_turn(1.0), canvas=40, prompt=PROMPT)

    watchdog.learn(slow_turn(3.0, steps=1), canvas=40, prompt=PROMPT)
    assert watchdog.costs.step_s(40, PROMPT) == pytest.approx(0.3, rel=0.1)


def test_a_whole_timeline_teaches_all_stages() -> None:
    watchdog = Watchdog(RULES, CostModel())
    for _ in range(4):
        watchdog.learn(slow_turn(1.0), canvas=40, prompt=PROMPT)

    costs = watchdog.costs
    assert costs.step_s(40, PROMPT) == pytest.approx(0.1, rel=0.1)
    assert costs.usual_s(Stage.TRANSCRIPT) == pytest.approx(0.4)
    assert costs.usual_s(Stage.CHUNK) == pytest.approx(0.09)
