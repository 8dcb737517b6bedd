"""Writing one reply: check, repair, and the truth about its source."""

import asyncio
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atonce.agent.events import DraftMade, Event, PromptRead, ReplyChecked
from atonce.agent.reply import Reply, ReplyRules, ReplyWriter, pinned_outside
from atonce.agent.reply_check import Problem
from atonce.agent.worker import Worker
from atonce.llm.fakes import FakeWriter
from atonce.llm.protocols import Cell, Plan, Prompt

FACTS = (
    "The museum is open from 9:30 am to 5:45 pm.",
    "An adult ticket costs $14.",
    "The lift is behind the gift shop.",
)
UNKNOWN = "I'm sorry, I don't have that information."
PRICE = "How much is an adult ticket?"


def write(
    replies: Sequence[str], question: str = PRICE, *, repairs: int = 2, is_checked: bool = True
) -> tuple[Reply, list[Event]]:
    """The reply of a writer that says these, one after the other."""
    said: Iterator[str] = iter(replies)
    events: list[Event] = []
    rules = ReplyRules(Plan(steps=4, canvas=16), is_checked, repairs, UNKNOWN)
    ticks = iter(range(1000))
    writer = ReplyWriter(
        FakeWriter(lambda _: next(said)), Worker("test"), rules, clock=lambda: float(next(ticks))
    )
    prompt = Prompt("the guide at a museum", FACTS, question)
    return asyncio.run(writer.write(prompt, events.append)), events


def test_a_right_reply_is_the_denoisers_own() -> None:
    reply, events = write(["An adult ticket costs $14."])

    assert reply == Reply("An adult ticket costs $14.", "denoiser", 4, 0, forced=False)
    assert isinstance(events[0], PromptRead)
    assert [e.draft.step for e in events if isinstance(e, DraftMade)] == [1, 2, 3, 4]
    assert isinstance(events[-1], ReplyChecked)
    assert events[-1].final


def test_a_wrong_value_is_masked_again_and_the_rest_stays() -> None:
    reply, events = write(["An adult ticket costs $41.", "This will be $14."])
    repaired = [e.draft for e in events if isinstance(e, DraftMade) and e.repair == 1]

    assert reply.source == "denoiser"
    assert reply.repaired == 1
    assert "41" not in reply.text
    assert reply.text.startswith("An adult ticket")  # pinned
    assert not repaired[0].cells[0].is_open


def test_when_no_repair_helps_the_matching_fact_is_read_out() -> None:
    reply, events = write(["An adult ticket costs $41."] * 3)
    checks = [e for e in events if isinstance(e, ReplyChecked)]

    assert reply.source == "fact"
    assert reply.text == FACTS[1]
    assert reply.repaired == 2
    assert [check.final for check in checks] == [False, False, True]


def test_when_no_fact_matches_either_an_honest_sentence_is_said() -> None:
    reply, _ = write(["The shark weighs 900 kilos."] * 3, "What does the shark weigh?")

    assert (reply.text, reply.source) == (UNKNOWN, "unknown")


def test_without_repairs_the_first_failure_decides() -> None:
    reply, _ = write(["An adult ticket costs $41."], repairs=0)

    assert (reply.source, reply.steps, reply.repaired) == ("fact", 4, 0)


def test_an_unchecked_reply_is_spoken_as_it_is() -> None:
    reply, _ = write(["An adult ticket costs $41."], is_checked=False)

    assert (reply.text, reply.source) == ("An adult ticket costs $41.", "denoiser")


WORDS = ("An", " adult", " ticket", " costs", " $41", ".")


def cells(words: Sequence[str], canvas: int = 8) -> list[Cell]:
    """A finished canvas: the words, then end marks."""
    filled = [Cell(10 + i, word, False, 0.9) for i, word in enumerate(words)]
    return filled + [Cell(1, "", False, 0.9)] * (canvas - len(words))


def test_only_the_failing_span_its_neighbours_and_the_end_are_open() -> None:
    start = "An adult ticket costs".__len__()
    problem = Problem("value", start + 1, start + 4, "$41 stands in no fact")

    assert pinned_outside(cells(WORDS), [problem], margin=0) == [
        10,
        11,
        12,
        13,
        None,
        15,
        None,
        None,
    ]
    assert pinned_outside(cells(WORDS), [problem], margin=1) == [10, 11, 12] + [None] * 5


def test_spans_count_from_the_first_letter_even_where_the_canvas_begins_with_a_blank() -> None:
    problem = Problem("value", 0, 2, "the first word")

    assert pinned_outside(cells((" An", " adult")), [problem], margin=0)[:2] == [None, 11]


def test_a_fault_without_a_place_opens_everything() -> None:
    assert pinned_outside(cells(WORDS), [], margin=1) == [None] * 8


@given(
    st.lists(st.sampled_from(["a", " bc", " def", "."]), min_size=1, max_size=12),
    st.integers(0, 40),
    st.integers(1, 20),
    st.integers(0, 3),
)
def test_every_character_of_a_failing_span_is_open(
    words: list[str], start: int, length: int, margin: int
) -> None:
    text = "".join(words)
    problem = Problem("value", start, start + length, "")
    pins = pinned_outside(cells(words, 16), [problem], margin=margin)
    position = -(len(text) - len(text.lstrip()))

    for word, pin in zip(words, pins, strict=False):
        if position < start + length and position + len(word) > start:
            assert pin is None

        position += len(word)

    assert pins[len(words) :] == [None] * (16 - len(words))


@pytest.mark.parametrize("empty", ["", "   "])
def test_an_empty_reply_is_never_spoken(empty: str) -> None:
    reply, _ = write([empty] * 3)

    assert reply.text.strip()
