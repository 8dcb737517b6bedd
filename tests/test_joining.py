"""Replies in parts."""

from __future__ import annotations

from dataclasses import dataclass, replace

from atonce.llm.joining import joined, parts_of, stretched
from atonce.llm.lessons import UNKNOWN
from atonce.llm.protocols import Cell, Draft, Plan

MOST = 12


def draft(text: str, canvas: int = 8, *, is_open: bool = False, step: int = 2) -> Draft:
    """A draft that says this, a word a cell, its end marks behind it."""
    words = [Cell(7, f" {word}", False, 0.9) for word in text.split()]
    rest = Cell(0, "", True, 0.0) if is_open else Cell(2, "", False, 0.8)
    return Draft(step, 4, tuple(words + [rest] * (canvas - len(words))))


@dataclass(frozen=True)
class Parted:
    """A prompt with parts."""

    tokens: int = 3
    parts: tuple[str, ...] = ("one", "two")
    wanted: int = 44


@dataclass(frozen=True)
class Plain:
    """A prompt without."""

    tokens: int = 3


def test_a_reply_has_as_many_parts_as_its_prompt() -> None:
    assert parts_of(Parted()) == ("one", "two")
    assert parts_of(Plain()) == (Plain(),)


def test_a_canvas_is_stretched_by_a_fifth_at_most_and_only_for_a_fact_that_then_fits() -> None:
    assert stretched(Plan(4, 40), Parted(), 48).canvas == 44
    assert stretched(Plan(4, 36), Parted(), 48).canvas == 36  # 43 would not do
    assert stretched(Plan(4, 40), Parted(), 43).canvas == 40
    assert stretched(Plan(4, 46), Parted(), 48).canvas == 46
    assert stretched(Plan(4, 40), Plain(), 48).canvas == 40


def test_one_part_is_the_draft_as_it_is() -> None:
    only = draft("We open at nine.")

    assert joined([only], most=MOST) == only


def test_parts_are_said_one_after_the_other() -> None:
    both = joined([draft("The boat is $4."), draft("The bus is $3.", step=3)], most=MOST)

    assert both.text == "The boat is $4. The bus is $3."
    assert both.step == 3
    assert both.is_finished
    assert both.cells[-1].text == ""  # it ends


def test_parts_are_kept_apart_by_a_blank() -> None:
    bus = draft("The bus is $3.")
    bare = replace(bus, cells=(replace(bus.cells[0], text="The"), *bus.cells[1:]))

    assert (
        joined([draft("The boat is $4."), bare], most=MOST).text == "The boat is $4. The bus is $3."
    )


def test_open_positions_stay_where_they_are() -> None:
    both = joined([draft("The boat", is_open=True), draft("The bus is $3.")], most=99)

    assert not both.is_finished
    assert both.text == "The boat The bus is $3."


def test_a_part_that_says_nothing_new_or_does_not_fit_is_left_out() -> None:
    first = draft("The boat is $4.")

    assert joined([first, draft("The boat is $4.")], most=MOST).text == "The boat is $4."
    assert joined([first, draft("boat is $4.")], most=MOST).text == "The boat is $4."
    assert joined([first, draft("The bus is $3.")], most=8).text == "The boat is $4."


def test_a_part_that_does_not_know_gives_way_to_the_one_that_does() -> None:
    refusal, known = draft(UNKNOWN, 12), draft("The bus is $3.")

    assert joined([refusal, known], most=MOST).text == "The bus is $3."
    assert joined([known, refusal], most=MOST).text == "The bus is $3."
    assert joined([refusal, refusal], most=MOST).text == UNKNOWN


def test_a_part_that_was_forced_makes_the_reply_forced_only_if_it_is_said() -> None:
    first, forced = (
        draft("The boat is $4."),
        Draft(2, 2, draft("The bus is $3.").cells, forced=True),
    )

    assert joined([first, forced], most=MOST).forced
    assert not joined([first, forced], most=6).forced
