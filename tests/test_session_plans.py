"""Whole talks in which the plan of a reply shows."""

from __future__ import annotations

from session_stage import LONG, UNCHECKED, WATCHED, talk

from atonce.agent.events import ErrorRaised, FirstAudio, PlanMade, ReplySettled, SentenceSaid
from atonce.agent.fakes import Costs
from atonce.agent.planning import Asked, FixedPlanner, Planned
from atonce.config.load import defaults
from atonce.llm.protocols import Plan


class Planning(FixedPlanner):
    """Plans as a test wants it."""

    def __init__(self, planned: Planned, *, drafts_early: bool = True) -> None:
        super().__init__(planned.plan, drafts_early=drafts_early)
        self._planned = planned
        self.asked: list[Asked] = []

    def plan(self, asked: Asked) -> Planned:
        self.asked.append(asked)
        return self._planned


def test_a_late_reply_is_acknowledged_and_the_acknowledgement_is_no_reply() -> None:
    planner = Planning(Planned(Plan(4, 40), "late", acknowledges=True))
    done = talk(
        (0.5, "When do you open"),
        settings=[*UNCHECKED, "agent.sentences.one_moment=One moment."],
        costs=Costs(step_s=0.5),
        planner=planner,
    )
    said = done.phone.of(SentenceSaid)

    assert [(event.kind, event.text) for event in said] == [("one_moment", "One moment.")]
    assert done.replies == ["We open at ten."]
    assert said[0].at_s < done.phone.of(FirstAudio)[0].at_s
    assert done.writer.prompts[-1][1].history[-1].reply == "We open at ten."


def test_an_acknowledgement_that_ends_while_the_reply_waits_does_not_make_it_heard() -> None:
    done = talk(
        (0.5, "Please tell me everything"),
        (6.0, "How much does it cost"),
        seconds=14,
        settings=[*UNCHECKED, "agent.sentences.one_moment=One moment while I look for it."],
        planner=Planning(Planned(Plan(4, 40), "late", acknowledges=True)),
    )
    past = done.writer.prompts[-1][1].history[0]

    assert past.question == "Please tell me everything"
    assert past.reply.endswith("…")
    assert LONG.startswith(past.reply[:-1])


def test_without_early_drafts_nothing_is_written_to_what_breaks_off() -> None:
    early, late = (
        Planning(Planned(Plan(4, 40), "K 4"), drafts_early=drafts_early)
        for drafts_early in (True, False)
    )
    said = (0.5, "I would like to"), (1.9, "know when you open")
    one, other = (
        talk(*said, seconds=9, settings=UNCHECKED, planner=planner) for planner in (early, late)
    )

    assert one.replies == other.replies == ["We open at ten."]
    assert len(early.asked) > len(late.asked) == 1
    assert late.asked[0].question == "I would like to know when you open"


def test_without_early_drafts_what_sounds_whole_is_written_all_the_same() -> None:
    planner = Planning(Planned(Plan(4, 40), "K 4"), drafts_early=False)
    done = talk(
        (0.5, "When do you open on Friday?"),
        settings=UNCHECKED,
        costs=Costs(final_s=0.05),
        planner=planner,
    )

    assert done.replies == ["We open at ten."]
    assert [asked.is_early for asked in planner.asked] == [True]


def test_without_time_for_the_writer_a_fact_that_clearly_answers_is_read_out() -> None:
    done = talk(
        (0.5, "How much is an adult ticket"),
        seconds=14,
        planner=Planning(Planned(Plan(0, 40), "no time to write")),
    )

    assert done.phone.of(ReplySettled)[0].reply.source == "fact"
    assert done.replies == [defaults([]).settings.agent.facts["tickets"]]


def test_without_time_and_without_such_a_fact_the_writer_writes_late() -> None:
    done = talk(
        (0.5, "Please tell me everything"),
        seconds=20,
        settings=UNCHECKED,
        planner=Planning(Planned(Plan(0, 40), "no time to write")),
    )

    assert done.phone.of(ReplySettled)[0].reply.source == "denoiser"


def test_under_a_slow_writer_the_watchdog_gives_steps_up_and_says_why() -> None:
    said = [(0.5 + 7 * turn, "When do you open") for turn in range(6)]
    done = talk(
        *said, seconds=43, settings=[*UNCHECKED, *WATCHED, "llm.steps=8"], costs=Costs(step_s=0.4)
    )
    plans = done.phone.of(PlanMade)

    assert plans[0].plan.steps == 8
    assert plans[-1].plan.steps < 8
    assert "step" in plans[-1].reason


def test_a_budget_that_nobody_can_keep_is_told_at_the_start() -> None:
    done = talk(seconds=1, settings=[*WATCHED, "watchdog.first_audio_ms=100"])
    told = [event.message for event in done.phone.of(ErrorRaised)]

    assert len(told) == 1
    assert told[0].startswith("watchdog.first_audio_ms is 100, but")
