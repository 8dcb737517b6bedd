"""Values are found in text and compared by meaning, with kind and unit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atonce.agent.number_words import number, ordinal
from atonce.agent.values import KINDS, find_values, same


def kinds(text: str) -> list[tuple[str, str]]:
    return [(value.kind, value.text) for value in find_values(text)]


def are_same(one: str, other: str) -> bool:
    (left,), (right,) = find_values(one), find_values(other)
    assert same(left, right) == same(right, left)
    return same(left, right)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("at 9", "at nine"),
        ("noon", "12:00 pm"),
        ("midnight", "12:00 am"),
        ("midnight", "24:00"),
        ("$14", "14 dollars"),
        ("$14.50", "14 dollars and 50 cents"),
        ("$14.50", "fourteen dollars fifty"),
        ("50 cents", "$0.50"),
        ("€3", "three euros"),
        ("on Fridays", "Friday"),
        ("17:30", "5:30 pm"),
        ("half past five", "5:30 pm"),
        ("quarter to ten", "9:45 am"),
        ("ten minutes to ten", "9:50"),
        ("twenty past ten", "10:20"),
        ("nine thirty pm", "21:30"),
        ("nine o'clock", "9:00 am"),
        ("10 a.m.", "10:00 am"),
        ("ten in the morning", "10 am"),
        ("10.30 pm", "22:30"),
        ("at nine", "9:00 am"),
        ("the 14th of May", "May 14"),
        ("May the fourteenth", "14 May"),
        ("thirtieth of June", "June 30"),
        ("twenty-first of July", "July 21"),
        ("in May", "May 14"),
        ("90 minutes", "an hour and a half"),
        ("90 minutes", "1 hour 30 minutes"),
        ("half an hour", "30 minutes"),
        ("a quarter of an hour", "fifteen minutes"),
        ("three quarters of an hour", "45 minutes"),
        ("two and a half hours", "150 minutes"),
        ("two-year", "2 years"),
        ("7 days", "seven days"),
        ("2 km", "2000 metres"),
        ("half a litre", "500 ml"),
        ("20%", "twenty per cent"),
        ("21 degrees", "21°C"),
        ("555 0142", "five five five oh one four two"),
        ("B 27", "B27"),
        ("the second floor", "the 2nd floor"),
        ("1,200", "one thousand two hundred"),
        ("a dozen", "12"),
        ("a hundred and twenty", "120"),
        ("two hundred", "200"),
    ],
)
def test_two_ways_to_say_a_value_are_the_same(one: str, other: str) -> None:
    assert are_same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("$14", "14 minutes"),
        ("9:00 am", "9:00 pm"),
        ("$14", "€14"),
        ("14 metres", "14 kilos"),
        ("Friday", "Saturday"),
        ("May 14", "June 14"),
        ("in June", "May 14"),
        ("9:15 am", "9"),
        ("B27", "B28"),
        ("B27", "27"),
        ("20%", "20 degrees"),
    ],
)
def test_values_of_another_kind_or_unit_differ(one: str, other: str) -> None:
    assert not are_same(one, other)


@pytest.mark.parametrize(
    "text",
    [
        "one of them",
        "First of all, welcome.",
        "first come, first served",
        "a second opinion",
        "May I help you?",
        "you may go",
        "an X-ray",
        "the phone",
        "someone often calls",
        "40:75",
    ],
)
def test_ordinary_words_are_no_values(text: str) -> None:
    found = [kind for kind, _ in kinds(text) if kind not in ("number",)]
    assert found == []


def test_impossible_days_are_no_dates() -> None:
    assert "date" not in [kind for kind, _ in kinds("May 45 or 99:00")]


def test_a_span_belongs_to_one_kind_only() -> None:
    text = "Room B27 costs $14.50 from 9:15 am to noon on May 14, Tuesday, for two hours."
    assert kinds(text) == [
        ("code", "B27"),
        ("money", "$14.50"),
        ("time", "9:15 am"),
        ("time", "noon"),
        ("date", "May 14"),
        ("weekday", "Tuesday"),
        ("duration", "two hours"),
    ]


def test_from_nine_to_six_is_a_range_and_no_time_of_day() -> None:
    assert kinds("from nine to six") == [("number", "nine"), ("number", "six")]


def test_a_letter_names_a_pier_but_starts_no_sentence() -> None:
    assert kinds("pier C") == [("code", "C")]
    assert kinds("A boat. I see.") == []


def test_frost_is_below_zero() -> None:
    assert find_values("-5 degrees")[0].meaning == (-5.0,)


@given(st.integers(0, 999_999))
def test_every_number_in_digits_is_read_back(value: int) -> None:
    assert number(f"{value:,}") == number(str(value)) == value


@given(st.integers(1, 31))
def test_every_ordinal_in_digits_is_read_back(value: int) -> None:
    assert ordinal(f"{value}th") == value


@given(st.text(max_size=120))
def test_any_text_can_be_searched(text: str) -> None:
    ends = 0

    for value in find_values(text):
        assert text[value.start : value.end] == value.text
        assert value.start >= ends
        ends = value.end


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_hints_of_a_kind_are_lower_case(kind: object) -> None:
    hints = kind.hints  # type: ignore[attr-defined]
    assert all(hint == hint.lower() for hint in hints)
