"""Events as plain data."""

import json
import math
from dataclasses import fields, is_dataclass, replace
from typing import get_args

import pytest

from atonce.agent.event_json import UNTOLD, as_json, event_of, name
from atonce.agent.events import (
    DraftMade,
    LevelMeasured,
    PlanMade,
    ReplyChecked,
    ReplySettled,
    SessionEvent,
    StateChanged,
)
from atonce.agent.reply_check import Problem, Verdict
from atonce.agent.reply_rules import Reply
from atonce.llm.protocols import Cell, Draft, Plan

DRAFT = Draft(1, 4, (Cell(7, "We", is_open=False, confidence=0.5), Cell(0, "", True, 0.0)))
VALUES: dict[str, object] = {
    "float": 1.5,
    "int": 2,
    "str": "words",
    "bool": True,
    "State": "speaking",
    "Draft": DRAFT,
    "Plan": Plan(4, 40),
    "Verdict": Verdict((Problem("value", 3, 5, "14"),)),
    "Reply": Reply("We open at ten.", "denoiser", 4, 0, forced=False),
    "tuple[str, ...]": ("hours", "tour"),
}


def every_event() -> list[SessionEvent]:
    """One of each kind."""
    return [
        kind(**{field.name: VALUES[str(field.type)] for field in fields(kind)})
        for kind in get_args(SessionEvent)
    ]


@pytest.mark.parametrize("event", every_event(), ids=name)
def test_every_event_is_strict_json_with_its_own_fields(event: SessionEvent) -> None:
    told = as_json(event)
    line = json.dumps(told, allow_nan=False)

    assert is_dataclass(event)
    assert list(told)[:2] == ["event", "at_s"]
    assert {"event", *(field.name for field in fields(event))} == set(told)
    assert json.loads(line) == told


def test_names_are_those_of_the_events() -> None:
    assert as_json(StateChanged(1.0, "listening")) == {
        "event": "state_changed",
        "at_s": 1.0,
        "state": "listening",
    }


def test_what_is_no_number_is_null() -> None:
    told = as_json(LevelMeasured(1.0, float("-inf"), float("nan")))

    assert (told["level_db"], told["floor_db"]) == (None, None)


def test_a_draft_tells_its_text_and_every_position() -> None:
    told = as_json(DraftMade(1.0, DRAFT, 0))

    assert told["draft"] == {
        "step": 1,
        "steps": 4,
        "forced": False,
        "text": "We",
        "cells": [
            {"text": "We", "is_open": False, "confidence": 0.5},
            {"text": "", "is_open": True, "confidence": 0.0},
        ],
    }


def test_a_reply_a_plan_and_a_verdict_keep_their_fields() -> None:
    reply = Reply("We open at ten.", "denoiser", 4, 0, forced=False)

    assert as_json(ReplySettled(1.0, reply, 2))["reply"]["source"] == "denoiser"
    assert as_json(PlanMade(1.0, Plan(4, 40), "K 4", 1))["plan"]["deadline_s"] is None
    assert as_json(ReplyChecked(1.0, Verdict(()), final=True))["verdict"] == {"problems": []}


# ---- back ----


@pytest.mark.parametrize("event", every_event(), ids=name)
def test_every_event_is_read_back_from_its_line(event: SessionEvent) -> None:
    read = event_of(json.loads(json.dumps(as_json(event))))

    if isinstance(event, DraftMade):
        cells = tuple(replace(cell, token=UNTOLD) for cell in event.draft.cells)
        event = replace(event, draft=replace(event.draft, cells=cells))

    assert read == event


def test_what_was_no_number_is_none_when_it_is_read_back() -> None:
    read = event_of(as_json(LevelMeasured(1.0, float("-inf"), -60.0)))
    assert isinstance(read, LevelMeasured)
    assert math.isnan(read.level_db)


def test_another_version_s_event_is_read_as_far_as_it_is_known() -> None:
    assert event_of({"event": "log_began", "at_s": 1.0}) is None
    told = {"event": "state_changed", "at_s": 1, "state": "listening", "mood": "fine"}
    assert event_of(told) == StateChanged(1.0, "listening")
    assert event_of({"event": "reply_ended", "at_s": 1, "heard": "", "is_cut": True}) is not None


@pytest.mark.parametrize(
    ("told", "complaint"),
    [
        ({"event": "state_changed", "at_s": 1.0}, "state_changed lacks state"),
        ({"event": "state_changed", "at_s": "now", "state": "listening"}, "at_s cannot be 'now'"),
        ({"event": "state_changed", "at_s": 1.0, "state": "asleep"}, "state cannot be 'asleep'"),
        ({"event": "prompt_read", "at_s": 1.0, "tokens": 2.5}, "tokens cannot be 2.5"),
        ({"event": "plan_made", "at_s": 1.0, "plan": 4, "reason": ""}, "plan cannot be 4"),
    ],
)
def test_what_is_not_as_it_should_be_is_named(told: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        event_of(told)
