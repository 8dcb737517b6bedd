"""The watchdog in a talk: what it is told of each reply, and what it plans then."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atonce.agent.cost_model import CostModel, Stage
from atonce.agent.events import (
    DraftMade,
    FirstAudio,
    PlanMade,
    PromptRead,
    ReplyChecked,
    ReplyEnded,
    ReplySettled,
    ReplyStarted,
    ReplyWaits,
    ReplyWithdrawn,
    SentenceSaid,
    SessionEvent,
    SpeechPaused,
    SpeechStopped,
    WordsHeard,
)
from atonce.agent.pacer import Pacer, planner_of
from atonce.agent.planning import Asked, FixedPlanner, Planned
from atonce.agent.reply_check import Verdict
from atonce.agent.reply_rules import Reply
from atonce.agent.watchdog import Watchdog
from atonce.agent.watchdog_rules import WatchdogRules
from atonce.config.load import defaults
from atonce.llm.protocols import Cell, Draft, Plan

BUDGET_S = 1.0
DRAFT = Draft(1, 4, (Cell(7, "We", is_open=False, confidence=0.5),))


def pacer() -> Pacer:
    rules = WatchdogRules(BUDGET_S, Plan(8, 40, min_steps=2), max_steps=12)
    return Pacer(Watchdog(rules, CostModel()), release_after_s=0.2)


def turn(
    one: Pacer,
    number: int,
    *,
    step_s: float = 0.03,
    noise: bool = False,
    is_heard: bool = True,
    wants: int = 99,
) -> tuple[Planned, float]:
    """One turn of a talk: a question that ends at 10 × number; the plan and the first audio.
    wants: steps that the reply takes if it may."""
    end_s = 10.0 * number
    one.observe(SpeechPaused(end_s + 0.06, end_s))
    one.observe(WordsHeard(end_s + 0.3, "When do you open?", 4, is_final=True))
    one.observe(SpeechStopped(end_s + 0.3, end_s))
    one.observe(ReplyStarted(end_s + 0.3, number, "When do you open?"))
    planned = one.plan(Asked(end_s + 0.3, number, "When do you open?", end_s, is_early=False))
    now_s = end_s + 0.3
    one.observe(PlanMade(now_s, planned.plan, planned.reason, number))
    now_s += 0.1
    one.observe(PromptRead(now_s, 400))

    steps = min(wants, max(1, planned.plan.steps))

    for _ in range(steps):
        now_s += step_s
        one.observe(DraftMade(now_s, DRAFT, 0))

    one.observe(ReplyChecked(now_s, Verdict(()), final=True))
    one.observe(ReplySettled(now_s, Reply("We do.", "denoiser", steps, 0, forced=False), number))
    now_s += 0.08

    if noise:
        one.observe(SpeechPaused(now_s, now_s - 0.1))
        one.observe(WordsHeard(now_s, "", 0, is_final=True))

    if not is_heard:
        one.observe(ReplyWithdrawn(now_s, number))
        return planned, now_s - end_s

    one.observe(ReplyWaits(now_s, number))
    now_s += 0.01
    one.observe(FirstAudio(now_s, number))
    return planned, now_s - end_s


def test_a_machine_in_time_keeps_its_steps() -> None:
    one = pacer()
    plans = [turn(one, number)[0].plan for number in range(1, 12)]

    assert {plan.steps for plan in plans} == {8}
    assert one.drafts_early
    assert one.reads_partials


def test_a_slow_machine_gets_fewer_steps_at_once_and_its_steps_back_afterwards() -> None:
    one = pacer()
    number = 0

    for _ in range(5):
        number += 1
        turn(one, number)

    slow = []

    for _ in range(6):
        number += 1
        slow.append(turn(one, number, step_s=0.09))

    back = []

    for _ in range(8):
        number += 1
        back.append(turn(one, number)[0].plan.steps)

    assert slow[0][0].plan.steps == 8  # nobody could know
    assert all(planned.plan.steps < 8 for planned, _ in slow[1:])
    assert all(first_audio_s <= BUDGET_S for _, first_audio_s in slow[2:])
    assert back[-1] == 8


def test_replies_that_end_early_keep_k_where_all_its_steps_would_not_fit() -> None:
    ending, one = pacer(), pacer()
    plans = [turn(ending, number, step_s=0.07, wants=3)[0].plan for number in range(1, 9)]
    whole = [turn(one, number, step_s=0.07)[0].plan for number in range(1, 9)]

    assert {plan.steps for plan in plans[1:]} == {8}
    assert max(plan.steps for plan in whole[2:]) < 8


def test_the_reason_names_what_is_really_done() -> None:
    one = pacer()
    plans = [turn(one, number, step_s=0.25)[0] for number in range(1, 12)]
    least = [planned for planned in plans if "canvas" in planned.reason]

    assert least
    assert all(planned.plan.steps == 2 and planned.plan.canvas < 40 for planned in least)


def test_where_no_step_fits_the_writer_is_not_asked() -> None:
    one = pacer()
    plans = [turn(one, number, step_s=1.0)[0] for number in range(1, 6)]

    assert plans[-1].plan.steps == 0
    assert plans[-1].plan.min_steps == 1  # where no fact clearly answers


def test_what_was_learnt_is_what_it_took() -> None:
    one = pacer()
    costs = one._watchdog.costs

    for number in range(1, 30):
        turn(one, number)

    assert costs.usual_s(Stage.TRANSCRIPT) == pytest.approx(0.3, rel=0.1)
    assert costs.usual_s(Stage.PROMPT) == pytest.approx(0.1, rel=0.1)
    assert costs.step_s(40, 400) == pytest.approx(0.03, rel=0.2)


def test_a_withdrawn_reply_teaches_what_its_steps_took() -> None:
    one = pacer()

    for number in range(1, 30):
        turn(one, number, step_s=0.06, is_heard=False)

    assert one._watchdog.costs.step_s(40, 400) == pytest.approx(0.06, rel=0.2)


def test_a_noise_before_the_first_sound_makes_no_reply_early() -> None:
    late: list[float] = []

    class Noting(Watchdog):
        def heard(self, first_audio_s: float | None, *, ready_s: float | None = None) -> bool:
            late.append(first_audio_s or 0.0)
            return super().heard(first_audio_s, ready_s=ready_s)

    one = Pacer(Noting(WatchdogRules(BUDGET_S, Plan(8, 40), max_steps=12)), release_after_s=0.2)
    _, first_audio_s = turn(one, 1, noise=True)

    assert late == [pytest.approx(first_audio_s)]


def test_a_draft_from_before_the_last_word_counts_its_lateness_from_that_word() -> None:
    late: list[float] = []

    class Noting(Watchdog):
        def heard(self, first_audio_s: float | None, *, ready_s: float | None = None) -> bool:
            late.append(first_audio_s or 0.0)
            return super().heard(first_audio_s, ready_s=ready_s)

    watchdog = Noting(WatchdogRules(BUDGET_S, Plan(4, 40), max_steps=12))
    one = Pacer(watchdog, release_after_s=0.2)
    one.observe(SpeechPaused(10.06, 10.0))
    one.observe(WordsHeard(10.3, "When do you open?", 4, is_final=True))
    one.observe(ReplyStarted(10.3, 1, "When do you open?", is_early=True))
    planned = one.plan(Asked(10.3, 1, "When do you open?", 10.0, is_early=True))
    one.observe(PlanMade(10.3, planned.plan, planned.reason, 1))
    one.observe(PromptRead(10.4, 400))
    one.observe(DraftMade(10.45, DRAFT, 0))
    one.observe(ReplyChecked(10.46, Verdict(()), final=True))
    one.observe(ReplyWaits(10.55, 1))
    # The person says "um" a second later; it is the same question.
    one.observe(SpeechPaused(11.56, 11.5))
    one.observe(WordsHeard(11.7, "When do you open? Um.", 5, is_final=True))
    one.observe(SpeechStopped(11.75, 11.5))
    one.observe(FirstAudio(11.77, 1))

    assert late == [pytest.approx(0.27)]
    assert watchdog.costs.usual_s(Stage.PROMPT) > 0.05


def test_a_reply_that_waited_for_the_endpoint_was_not_reading_meanwhile() -> None:
    one = pacer()
    one.observe(SpeechPaused(10.06, 10.0))
    one.observe(WordsHeard(10.3, "When do you open?", 4, is_final=True))
    one.observe(SpeechStopped(11.0, 10.0))
    one.observe(ReplyStarted(11.0, 1, "When do you open?"))  # no draft before the endpoint
    planned = one.plan(Asked(11.0, 1, "When do you open?", 10.0, is_early=False))
    one.observe(PlanMade(11.0, planned.plan, planned.reason, 1))
    one.observe(PromptRead(11.1, 400))
    one.observe(DraftMade(11.14, DRAFT, 0))
    one.observe(ReplyChecked(11.15, Verdict(()), final=True))
    one.observe(ReplyWaits(11.2, 1))
    one.observe(FirstAudio(11.21, 1))

    assert one._watchdog.costs.usual_s(Stage.PROMPT) < 0.15


def test_a_budget_that_cannot_be_kept_is_told_once_and_of_the_machine_not_of_its_load() -> None:
    costs = CostModel()
    tight = defaults(["watchdog.first_audio_ms=300"]).settings
    first = planner_of(tight, costs)
    assert "watchdog.first_audio_ms is 300" in (first.complaint or "")
    assert isinstance(first, Pacer)
    turn(first, 1)
    assert planner_of(tight, costs).complaint is None

    busy = CostModel()
    usual = planner_of(defaults([]).settings, busy)
    assert isinstance(usual, Pacer)
    turn(usual, 1, step_s=2.0)
    assert planner_of(defaults([]).settings, busy).complaint is None


def test_times_of_a_device_that_are_a_little_off_break_nothing() -> None:
    one = pacer()
    one.observe(ReplyStarted(5.0, 1, "When?"))
    one.plan(Asked(5.0, 1, "When?", 5.0, is_early=False))
    one.observe(PromptRead(5.1, 400))
    one.observe(DraftMade(5.2, DRAFT, 0))
    one.observe(ReplyChecked(5.2, Verdict(()), final=True))
    one.observe(SentenceSaid(5.15, "one_moment", "One moment."))
    one.observe(ReplyWaits(5.3, 1))
    one.observe(FirstAudio(5.29, 1))


def test_a_written_question_counts_from_when_it_was_asked() -> None:
    one = pacer()
    turn(one, 1)
    before = one._watchdog.costs.usual_s(Stage.TRANSCRIPT)
    one.observe(ReplyStarted(50.0, 2, "When?"))
    one.plan(Asked(50.0, 2, "When?", 50.0, is_early=False))
    one.observe(PromptRead(50.1, 400))
    one.observe(DraftMade(50.2, DRAFT, 0))
    one.observe(ReplyChecked(50.2, Verdict(()), final=True))
    one.observe(ReplyWaits(50.3, 2))
    one.observe(FirstAudio(50.3, 2))

    assert one._watchdog.costs.usual_s(Stage.TRANSCRIPT) == before


def test_the_settings_choose_the_planner() -> None:
    costs = CostModel()

    assert isinstance(planner_of(defaults([]).settings, costs), Pacer)
    fixed = planner_of(defaults(["watchdog.enabled=false", "llm.steps=7"]).settings, costs)
    assert isinstance(fixed, FixedPlanner)
    assert fixed.plan(Asked(0.0, 1, "When?", 0.0, is_early=False)).plan.steps == 7
    assert fixed.complaint is None
    assert (fixed.drafts_early, fixed.reads_partials) == (True, True)


TIMES = st.floats(allow_nan=True, allow_infinity=True) | st.floats(0, 100)
NUMBERS = st.integers(0, 6)
EVENTS = st.one_of(
    st.builds(SpeechPaused, TIMES, TIMES),
    st.builds(SpeechStopped, TIMES, TIMES),
    st.builds(WordsHeard, TIMES, st.sampled_from(["", "When?"]), st.just(0), st.booleans()),
    st.builds(ReplyStarted, TIMES, NUMBERS, st.just("When?"), st.booleans()),
    st.builds(PromptRead, TIMES, st.integers(0, 9000)),
    st.builds(DraftMade, TIMES, st.just(DRAFT), st.integers(0, 2)),
    st.builds(ReplyChecked, TIMES, st.just(Verdict(())), st.booleans()),
    st.builds(ReplyWaits, TIMES, NUMBERS),
    st.builds(FirstAudio, TIMES, NUMBERS),
    st.builds(ReplyWithdrawn, TIMES, NUMBERS),
    st.builds(ReplyEnded, TIMES, st.just(""), st.booleans(), NUMBERS),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(EVENTS, TIMES), max_size=40))
def test_stages_that_never_mark_and_clocks_that_jump_break_no_plan(
    told: list[tuple[SessionEvent, float]],
) -> None:
    one = pacer()

    for number, (event, at_s) in enumerate(told):
        one.observe(event)
        planned = one.plan(Asked(at_s, number, "When?", at_s - 0.3, is_early=number % 3 == 0))
        assert 0 <= planned.plan.steps <= 12
        assert 0 < one._watchdog.costs.step_s(40, 400) < math.inf
