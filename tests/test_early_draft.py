"""What of an early draft stands, and what a reply out of it takes."""

from __future__ import annotations

import asyncio

import pytest

from atonce.agent.early_draft import EarlyDraft, goes_on, kept, steps_for
from atonce.agent.events import DraftMade, Event
from atonce.agent.refining import begin
from atonce.agent.reply import ReplyRules, ReplyWriter
from atonce.agent.worker import Here
from atonce.llm.commit import Guess, Marks
from atonce.llm.fakes import FakeWriter
from atonce.llm.protocols import Cell, Plan, Prompt

MARKS = Marks(mask=0, end=1)
FACTS = ("We open at 9:30 am.", "An adult ticket costs $14.", "A child ticket costs $6.")


def cells(*tokens: int) -> tuple[Cell, ...]:
    """A canvas; 1 is its end, 0 an open place."""
    return tuple(Cell(t, f" w{t}" if t > 1 else "", t == 0, 0.9) for t in tokens)


def guess(position: int, token: int, sure: float, end: float = 0.01) -> Guess:
    return Guess(position, (token, 99), (sure, 1 - sure), end)


def test_what_the_writer_would_say_now_stays() -> None:
    said = [guess(i, t, 0.9) for i, t in enumerate((5, 6, 7))]
    ended = [guess(i, 9, 0.1, end=0.99) for i in (3, 4)]
    assert kept(cells(5, 6, 7, 1, 1), [*said, *ended], MARKS) == [5, 6, 7, 1, 1]


def test_what_it_doubts_is_masked_again() -> None:
    said = [guess(0, 5, 0.9), guess(1, 8, 0.9), guess(2, 7, 0.9)]
    ended = [guess(i, 9, 0.1, end=0.99) for i in (3, 4)]
    assert kept(cells(5, 6, 7, 1, 1), [*said, *ended], MARKS) == [5, None, 7, 1, 1]


def test_another_length_opens_what_is_behind_the_last_word() -> None:
    said = [guess(i, t, 0.9) for i, t in enumerate((5, 6, 7, 8))]
    ended = [guess(4, 9, 0.1, end=0.99)]
    assert kept(cells(5, 6, 7, 1, 1), [*said, *ended], MARKS) == [5, 6, 7, None, None]


def test_an_answer_to_another_question_is_not_kept() -> None:
    said = [guess(0, 5, 0.9), guess(1, 8, 0.9), guess(2, 9, 0.9), guess(3, 9, 0.1, end=0.99)]
    assert kept(cells(5, 6, 7, 1), said, MARKS) is None
    assert kept(cells(0, 0, 0, 0), said, MARKS) is None
    assert kept(cells(5, 6), said, MARKS) is None


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ("How much is a", "How much is a ticket for an adult?", True),
        ("How much is a tick", "How much is a ticket?", True),
        ("How much is it?", "how much is it", True),
        ("Where are you?", "How much is a ticket?", False),
        ("", "How much is a ticket?", False),
    ],
)
def test_a_question_goes_on_where_it_begins_alike(before: str, now: str, expected: bool) -> None:
    assert goes_on(before, now) is expected


def test_what_is_left_takes_fewer_steps_than_all() -> None:
    assert steps_for([5, 6, 7, 1], 4) == 0
    assert steps_for([5, None, 7, 1], 4) == 1
    assert steps_for([None] * 4, 4) == 3
    assert steps_for([5, None], 1) == 1


def written(question: str, early: EarlyDraft | None, writer: FakeWriter) -> tuple[str, int, bool]:
    """Text, steps, and whether it is refined."""
    rules = ReplyRules(Plan(4, 12), is_checked=True, repairs=1, unknown="I don't know.")
    events: list[Event] = []

    async def write() -> tuple[str, int, bool]:
        one = ReplyWriter(writer, Here(), rules, clock=lambda: 0.0)
        reply = await one.write(Prompt("a guide", FACTS, question), events.append, early=early)
        assert reply.steps == sum(isinstance(event, DraftMade) for event in events)
        return reply.text, reply.steps, reply.is_refined

    return asyncio.run(write())


def drafted(question: str, writer: FakeWriter) -> EarlyDraft:
    """A draft by the fake writer."""
    *_, last = writer.write(writer.read(Prompt("a guide", FACTS, question)), Plan(4, 12))
    return EarlyDraft(question, last.cells)


def test_a_draft_that_holds_takes_one_pass() -> None:
    writer = FakeWriter()
    early = drafted("How much is an adult", writer)
    assert written("How much is an adult ticket?", early, writer) == (FACTS[1], 1, True)


def test_a_draft_for_another_fact_is_written_anew() -> None:
    writer = FakeWriter()
    early = drafted("When do you open", writer)
    text, steps, is_refined = written("How much is an adult ticket?", early, writer)
    assert (text, is_refined) == (FACTS[1], False)
    assert steps == written("How much is an adult ticket?", None, writer)[1]


def test_a_draft_longer_than_the_canvas_is_not_looked_at() -> None:
    writer = FakeWriter()
    cache = writer.read(Prompt("a guide", FACTS, "When do you open?"))
    assert begin(writer, cache, drafted("When do you", writer), Plan(4, 10)) is None
