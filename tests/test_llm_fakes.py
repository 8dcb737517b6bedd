"""The writer without a model."""

from __future__ import annotations

import pytest

from atonce.config.errors import EngineError
from atonce.llm.fakes import FakeWriter
from atonce.llm.protocols import Exchange, Plan, Prompt

PROMPT = Prompt(
    "a guide",
    ("Tickets cost $14.", "We open at 9:30 am."),
    "when do you open?",
    (Exchange("hi there", "Hello."),),
)


def test_it_replies_with_the_nearest_fact_in_k_steps() -> None:
    writer = FakeWriter()
    drafts = list(writer.write(writer.read(PROMPT), Plan(steps=5, canvas=16, rule="quota")))
    assert len(drafts) == 5
    assert drafts[0].text == "We"
    assert drafts[-1].text == "We open at 9:30 am."


def test_it_says_what_it_is_told_to() -> None:
    writer = FakeWriter(lambda prompt: f"You asked: {prompt.question}")
    drafts = list(writer.write(writer.read(PROMPT), Plan(steps=2, canvas=16)))
    assert drafts[-1].text == "You asked: when do you open?"


@pytest.mark.parametrize("reply", ["", "one two three four five six"])
def test_a_reply_of_no_words_or_too_many_still_fits_the_canvas(reply: str) -> None:
    writer = FakeWriter(lambda _: reply)
    drafts = list(writer.write(writer.read(PROMPT), Plan(steps=2, canvas=4)))
    assert drafts[-1].is_finished
    assert drafts[-1].text == ("one two three four" if reply else "Hm.")


def test_a_word_may_be_said_twice() -> None:
    writer = FakeWriter(lambda _: " ".join(["so so much", *["more"] * 30]))
    drafts = list(writer.write(writer.read(PROMPT), Plan(steps=8, canvas=40)))
    assert drafts[-1].text == " ".join(["so so much", *["more"] * 30])


def test_pinned_words_stay() -> None:
    writer = FakeWriter(lambda _: "We open at noon.")
    pins: list[int | None] = [None] * 8
    pins[3:4] = writer.encode(" nine.")
    drafts = list(writer.write(writer.read(PROMPT), Plan(steps=3, canvas=8), given=pins))
    assert drafts[-1].text == "We open at nine."


def test_it_counts_the_words_it_was_told() -> None:
    assert FakeWriter().read(PROMPT).tokens == 2 + 3 + 5 + 4 + 2 + 1


def test_a_prompt_of_another_engine_is_refused() -> None:
    class Foreign:
        tokens = 3

    with pytest.raises(EngineError, match="another engine"):
        FakeWriter().write(Foreign(), Plan(steps=1, canvas=4))


def test_it_writes_english_on_any_canvas_of_the_settings() -> None:
    writer = FakeWriter()
    assert (writer.name, writer.languages, writer.max_canvas) == ("fake", ("en",), 400)
