"""The budget is kept, K is lowered when slow and given back when fast, and it does not swing."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atonce.agent.cost_model import FIRST_LINE, FIRST_S, Stage
from atonce.agent.ladder import Given, ladder
from atonce.agent.watchdog import AFTER_WRITING, Watchdog
from atonce.agent.watchdog_rules import Decision, WatchdogRules
from atonce.config.load import defaults
from atonce.llm.protocols import Plan

RULES = WatchdogRules(1.3, Plan(8, 40, min_steps=2), max_steps=16)
PROMPT = 400


@dataclass(frozen=True, slots=True)
class Turn:
    """What became of one turn."""

    decision: Decision
    """How it was to be written."""
    steps: int
    """Steps that were done."""
    first_audio_s: float
    """When it was heard."""


def talk(
    watchdog: Watchdog, loads: Sequence[float], noise: Callable[[], float] = lambda: 1.0
) -> list[Turn]:
    """Turns on a machine that is so many times slower; rows stop at the plan's deadline."""
    turns, now_s = [], 100.0
    for load in loads:
        now_s += 10
        spoken_end_s, at_s = now_s, now_s + FIRST_S[Stage.TRANSCRIPT] * load * noise()
        watchdog.costs.note(Stage.TRANSCRIPT, at_s - spoken_end_s)
        decision = watchdog.plan(at_s, spoken_end_s=spoken_end_s, prompt=PROMPT)
        plan = decision.plan
        at_s += spend(watchdog, Stage.PROMPT, load * noise())
        done, step_s = 0, watchdog.costs.step_s(plan.canvas, PROMPT)
        while (
            not decision.fact_first
            and done < plan.steps
            and (not done or at_s + step_s <= (plan.deadline_s or math.inf))
        ):
            took_s = FIRST_LINE.seconds(plan.canvas, PROMPT) * load * noise()
            watchdog.costs.note_step(plan.canvas, PROMPT, took_s)
            at_s, done, step_s = at_s + took_s, done + 1, max(step_s, took_s)

        for stage in AFTER_WRITING:
            at_s += spend(watchdog, stage, load * noise())

        watchdog.heard(at_s - spoken_end_s)
        turns.append(Turn(decision, done, at_s - spoken_end_s))

    return turns


def spend(watchdog: Watchdog, stage: Stage, load: float) -> float:
    """Seconds of a stage, which the watchdog sees."""
    watchdog.costs.note(stage, FIRST_S[stage] * load)
    return FIRST_S[stage] * load


def jitter(seed: int, spread: float) -> Callable[[], float]:
    """Noise of every single cost."""
    dice = random.Random(seed)
    return lambda: math.exp(max(-2 * spread, min(2 * spread, dice.gauss(0, spread))))


def reversals(turns: Sequence[Turn]) -> int:
    """How often the planned K changed its direction."""
    moves = [b.decision.plan.steps - a.decision.plan.steps for a, b in itertools.pairwise(turns)]
    signs = [move > 0 for move in moves if move]
    return sum(a != b for a, b in itertools.pairwise(signs))


# ---- idle, slow, and fast again ----


def test_an_idle_machine_keeps_everything() -> None:
    turns = talk(Watchdog(RULES), [1.0] * 20)
    assert {(t.decision.given, t.steps) for t in turns} == {(Given.NOTHING, 8)}


@pytest.mark.parametrize("load", [1.6, 2.0, 2.2])
def test_after_the_first_reply_under_a_load_none_is_late(load: float) -> None:
    turns = talk(Watchdog(RULES), [1.0] * 10 + [load] * 30, jitter(1, 0.05))
    assert [t for t in turns[11:] if t.first_audio_s > RULES.first_audio_s] == []
    assert all(t.steps < 8 for t in turns[12:])


@pytest.mark.parametrize("load", [1.5, 2.0, 3.0, 5.0])
@pytest.mark.parametrize("turns_of_load", [3, 10, 40])
@pytest.mark.parametrize("steps", [4, 8, 16])
def test_three_turns_after_a_load_k_has_its_old_value(
    load: float, turns_of_load: int, steps: int
) -> None:
    rules = replace(RULES, plan=replace(RULES.plan, steps=steps), first_audio_s=0.7 + 0.06 * steps)
    turns = talk(Watchdog(rules), [1.0] * 10 + [load] * turns_of_load + [1.0] * 3, jitter(2, 0.05))
    assert turns[9].decision.plan.steps == steps
    assert min(t.decision.plan.steps for t in turns[11:-3]) < steps
    assert turns[-1].decision.plan.steps == steps


def test_k_is_lowered_in_the_very_turn_that_does_not_fit() -> None:
    watchdog = Watchdog(RULES)
    talk(watchdog, [1.0] * 5)
    late = watchdog.plan(100.85, spoken_end_s=100.0, prompt=PROMPT)  # a slow transcriber alone
    assert late.plan.steps < 8
    assert late.is_changed
    assert late.reason.startswith(f"K 8 → {late.plan.steps}: step 4")
    assert late.reason.endswith(" ms left")


def test_a_missed_mark_costs_a_rung_though_the_plan_fitted() -> None:
    watchdog = Watchdog(replace(RULES, first_audio_s=1.6))
    talk(watchdog, [1.0] * 5)
    watchdog.plan(100.25, spoken_end_s=100.0, prompt=PROMPT)
    assert watchdog.heard(2.0)
    assert watchdog.plan(110.25, spoken_end_s=110.0, prompt=PROMPT).given > Given.NOTHING


def test_a_reply_that_was_ready_and_held_for_the_endpoint_costs_nothing() -> None:
    watchdog = Watchdog(replace(RULES, first_audio_s=1.6))
    talk(watchdog, [1.0] * 5)
    watchdog.plan(100.25, spoken_end_s=100.0, prompt=PROMPT)
    assert watchdog.heard(2.0, ready_s=0.6)
    assert watchdog.plan(110.25, spoken_end_s=110.0, prompt=PROMPT).given is Given.NOTHING


@pytest.mark.parametrize("stage", [Stage.PROMPT, Stage.CHECK, Stage.CHUNK])
def test_any_slow_stage_costs_steps(stage: Stage) -> None:
    watchdog = Watchdog(RULES)
    for _ in range(5):
        watchdog.costs.note(stage, 0.65)

    assert watchdog.plan(100.25, spoken_end_s=100.0, prompt=PROMPT).plan.steps < 8


def test_rows_of_others_and_a_longer_prompt_cost_steps() -> None:
    alone = Watchdog(RULES).plan(100.25, spoken_end_s=100.0, prompt=PROMPT)
    beside = Watchdog(RULES).plan(100.25, spoken_end_s=100.0, prompt=PROMPT, beside=400)
    longer = Watchdog(RULES).plan(100.25, spoken_end_s=100.0, prompt=400_000)
    assert beside.plan.steps < alone.plan.steps
    assert longer.plan.steps < alone.plan.steps


def test_a_prompt_that_was_read_leaves_more_time() -> None:
    unread = Watchdog(RULES).plan(100.9, spoken_end_s=100.0, prompt=PROMPT)
    read = Watchdog(RULES).plan(100.9, spoken_end_s=100.0, prompt=PROMPT, is_read=True)
    assert read.plan.steps > unread.plan.steps


# ---- the order of giving up ----


def test_what_is_given_up_comes_in_the_order_of_the_ladder() -> None:
    rungs = ladder(steps=4, min_steps=2, canvas=40, shortest=16, last=12)
    assert [rung.given for rung in rungs] == sorted(rung.given for rung in rungs)
    assert {rung.given for rung in rungs} == set(Given)
    ks = [rung.steps for rung in rungs if rung.given < Given.CANVAS]
    assert ks == [4, 4, 4, 3, 2]
    sizes = [rung.canvas for rung in rungs if rung.given is Given.CANVAS]
    assert sizes == [36, 32, 28, 24, 20, 16]
    assert [rung.canvas for rung in rungs[-2:]] == [16, 12]


@pytest.mark.parametrize(("steps", "least", "canvas"), [(1, 1, 8), (4, 9, 40), (2, 2, 12)])
def test_a_ladder_of_odd_settings_still_stands(steps: int, least: int, canvas: int) -> None:
    rungs = ladder(steps=steps, min_steps=least, canvas=canvas, shortest=16, last=12)
    assert rungs[0].steps == steps
    assert all(0 < rung.canvas <= canvas for rung in rungs)
    assert all(1 <= rung.steps <= steps for rung in rungs if rung.given < Given.WRITER)


def test_less_time_never_gives_more() -> None:
    before = Given.NOTHING
    for late_ms in range(0, 1400, 10):
        decision = Watchdog(RULES).plan(100 + late_ms / 1000, spoken_end_s=100.0, prompt=PROMPT)
        assert decision.given >= before
        before = decision.given

    assert before is Given.WRITER


def test_what_drives_a_rival_out_is_told_and_no_longer_kept() -> None:
    watchdog = Watchdog(replace(RULES, first_audio_s=0.87))
    decision = watchdog.plan(100.25, spoken_end_s=100.0, prompt=PROMPT)
    assert Given.NOTHING < decision.given < Given.STEPS
    assert "K 8, no early drafts" in decision.reason
    assert not watchdog.keeps(Given.EARLY_DRAFTS)
    assert watchdog.keeps(Given.STEPS)


def test_a_reply_that_mostly_ends_by_itself_needs_no_time_for_all_its_steps() -> None:
    tight = replace(RULES, first_audio_s=0.75)
    strange, known = Watchdog(tight), Watchdog(tight)
    for steps in (3, 3, 4):
        known.costs.note_reply(steps, has_ended=True)

    all_of_them, few = (
        one.plan(100.25, spoken_end_s=100.0, prompt=PROMPT) for one in (strange, known)
    )
    assert all_of_them.plan.steps < few.plan.steps == 8
    assert max(all_of_them.expected_s, few.expected_s) <= 0.75
    assert few.plan.deadline_s is not None
    assert few.plan.deadline_s < 100.75, "should it want more, it is ended"


def test_below_min_steps_it_says_so() -> None:
    watchdog = Watchdog(replace(RULES, acknowledged_share=0.0))
    decision = watchdog.plan(101.2, spoken_end_s=100.0, prompt=PROMPT)
    assert decision.given is Given.WRITER
    assert "below llm.min_steps 2" in decision.reason


def slow_voice() -> Watchdog:
    """Every reply takes two seconds more than it may."""
    watchdog = Watchdog(RULES)
    for _ in range(5):
        watchdog.costs.note(Stage.CHUNK, 2.0)

    return watchdog


def test_acknowledgements_are_at_most_a_tenth_of_the_turns_under_load() -> None:
    watchdog = slow_voice()
    decisions = [
        watchdog.plan(100.25 + n, spoken_end_s=100.0 + n, prompt=PROMPT) for n in range(200)
    ]
    said = [n for n, decision in enumerate(decisions, 1) if decision.acknowledges]
    assert len(said) == 20
    assert all(number <= 0.1 * turn for number, turn in enumerate(said, 1))
    assert all(d.fact_first != d.acknowledges for d in decisions)


def test_turns_of_an_idle_machine_buy_no_acknowledgement() -> None:
    watchdog = Watchdog(RULES)
    talk(watchdog, [1.0] * 100)
    for _ in range(5):
        watchdog.costs.note(Stage.CHUNK, 2.0)

    late = [watchdog.plan(2000.25 + n, spoken_end_s=2000.0 + n, prompt=PROMPT) for n in range(9)]
    assert not any(decision.acknowledges for decision in late)


def test_no_sentence_is_said_that_would_last_longer_than_the_reply_takes() -> None:
    watchdog = Watchdog(replace(RULES, acknowledged_share=1.0))
    a_little = watchdog.plan(101.25, spoken_end_s=100.0, prompt=PROMPT)
    assert a_little.expected_s > RULES.first_audio_s
    assert a_little.fact_first
    assert not a_little.acknowledges


def test_nobody_who_may_go_on_speaking_is_told_that_it_takes_a_moment() -> None:
    watchdog = slow_voice()
    watchdog.rules = replace(RULES, acknowledged_share=1.0)
    early = watchdog.plan(100.25, spoken_end_s=100.0, prompt=PROMPT, release_s=100.8)
    assert not early.acknowledges
    assert watchdog.plan(110.25, spoken_end_s=110.0, prompt=PROMPT).acknowledges


def test_where_no_fact_clearly_answers_one_step_is_done() -> None:
    watchdog = Watchdog(replace(RULES, acknowledged_share=0.0))
    written = watchdog.plan(101.2, spoken_end_s=100.0, prompt=PROMPT).written
    assert (written.steps, written.min_steps) == (0, 1)


def test_where_the_settings_do_not_want_it_nothing_is_acknowledged() -> None:
    given = defaults(["watchdog.acknowledge=false"]).settings
    rules = WatchdogRules.from_settings(given)
    assert rules.acknowledged_share == 0
    usual = WatchdogRules.from_settings(defaults().settings)
    assert usual.acknowledged_share == 0.1
    assert 1.0 < usual.acknowledgement_s < 1.4  # "One moment, please."
    watchdog = slow_voice()
    watchdog.rules = rules
    late = [watchdog.plan(100.25 + n, spoken_end_s=100.0 + n) for n in range(50)]
    assert not any(decision.acknowledges for decision in late)


def test_before_the_endpoint_there_may_be_more_steps() -> None:
    watchdog = Watchdog(replace(RULES, first_audio_s=1.5))
    waits = watchdog.plan(100.25, spoken_end_s=100.0, prompt=PROMPT, release_s=101.0)
    assert 8 < waits.plan.steps <= 16
    assert "endpoint" in waits.reason
    soon = watchdog.plan(110.25, spoken_end_s=110.0, prompt=PROMPT, release_s=110.3)
    assert soon.plan.steps == 8


# ---- it does not swing ----


@settings(max_examples=60, deadline=None)
@given(load=st.floats(0.3, 8.0), seed=st.integers(0, 10_000), budget_s=st.floats(0.3, 3.0))
def test_a_steady_machine_gets_a_steady_k(load: float, seed: int, budget_s: float) -> None:
    watchdog = Watchdog(replace(RULES, first_audio_s=budget_s))
    turns = talk(watchdog, [load] * 140, jitter(seed, 0.05))
    assert reversals(turns[40:]) <= 4


@settings(max_examples=60, deadline=None)
@given(
    loads=st.lists(st.floats(0.2, 10.0), min_size=5, max_size=12),
    lasting=st.integers(1, 12),
    seed=st.integers(0, 10_000),
)
def test_k_turns_round_no_more_often_than_the_load_does(
    loads: list[float], lasting: int, seed: int
) -> None:
    trace = [load for load in loads for _ in range(lasting)]
    turns = talk(Watchdog(RULES), trace, jitter(seed, 0.03))
    assert reversals(turns) <= 2 * len(loads)


@settings(max_examples=60, deadline=None)
@given(loads=st.lists(st.floats(0.2, 10.0), min_size=20, max_size=60))
def test_whatever_the_load_does_every_rise_fits_and_every_k_is_allowed(loads: list[float]) -> None:
    watchdog = Watchdog(RULES)
    before = 8
    for load in loads:
        (turn,) = talk(watchdog, [load])
        decision = turn.decision
        if decision.plan.steps > before and decision.given < Given.PROMPTNESS:
            assert decision.expected_s <= RULES.first_audio_s + 1e-9

        assert 2 <= decision.plan.steps <= 8
        assert turn.steps <= decision.plan.steps or turn.steps == 1
        before = decision.plan.steps
