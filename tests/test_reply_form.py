"""What cannot be spoken is found, with its place; what can be is let through."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atonce.agent.reply_form import MAX_WORDS, form_problems, sentences
from atonce.llm.corpus import load_packs

CORPUS = Path(__file__).parent.parent / "corpus"
LABELLED = Path(__file__).parent / "data" / "replies.jsonl"


def found(reply: str, known: str = "") -> list[tuple[str, str]]:
    return [
        (problem.kind, reply[problem.start : problem.end])
        for problem in form_problems(reply, known=known)
    ]


@pytest.mark.parametrize(
    "reply",
    [
        "We open at 9:15 am.",
        "Hello! How can I help you?",
        "It's $14.50 for adults, and children get in free.",
        "No, no. We had that that day, very very late.",
        "Please ask Dr. Sato, or Mr. Lindholm.",
        'The show is called "Deep Time".',
        "The code is 5 5 0 7, and the number is 555 0155.",
        "A shower costs $2. A wash costs $4.",
        "Yes, it is.",
        "La la la!",
        "Here you are…",
        "Guests moor on pier A. A green sign means that the berth is free.",
    ],
)
def test_a_good_reply_has_no_fault(reply: str) -> None:
    assert found(reply) == []


@pytest.mark.parametrize("reply", ["", "   ", "...", "?!", "<|>"])
def test_a_reply_without_a_word_is_empty(reply: str) -> None:
    assert [kind for kind, _ in found(reply)] == ["empty"]


@pytest.mark.parametrize(
    ("reply", "span"),
    [
        ("We open <|im_end|> at nine.", "<|im_end|>"),
        ("We <mask> at nine.", "<mask>"),
        ("We [MASK] at nine.", "[MASK]"),
        ("**We** open.", "**"),
        ("# Hours are here.", "#"),
        ("We open ▁ at nine.", "▁"),
        ("See https://example.org for more.", "https://example.org"),
        ("Welcome 😀 to us.", "😀"),
        ("A \ufffd here.", "\ufffd"),
        ("Open_now is it.", "_"),
        ("A bell\x07 rings.", "\x07"),
        ("- nine to five\n- closed.", "- "),
        ("It costs $ for adults.", "$"),
        (", we are open.", ","),
        ("We are open,, at nine.", ","),
        ("We are open. . Come in.", " ."),
        ("We are open (, at nine.", "("),
    ],
)
def test_marks_that_no_voice_can_say_are_found(reply: str, span: str) -> None:
    assert ("mark", span) in found(reply)


@pytest.mark.parametrize(
    ("reply", "span"),
    [
        ("We open at the the museum.", "the the"),
        ("It is by by by the door.", "by by"),
        ("Tickets tickets cost more.", "Tickets tickets"),
        ("An adadadult pays.", ""),
        ("The hahahaha pays.", "hahahaha"),
        ("We open at we open at nine.", "we open at"),
        ("It is open it is open now.", "it is open"),
        (
            "The centre is open on Sunday, and the centre is open on Monday.",
            "the centre is open on",
        ),
        ("We are closed. Come back. We are closed.", "We are closed."),
    ],
)
def test_loops_are_found(reply: str, span: str) -> None:
    if span:
        assert ("loop", span) in found(reply)
    else:
        assert not [kind for kind, _ in found(reply) if kind != "loop"]


def test_a_doubled_name_that_the_facts_know_is_no_loop() -> None:
    assert found("Try the Pago Pago bar.", known="the Pago Pago bar") == []
    assert found("Try the Pago Pago bar.") == [("loop", "Pago Pago")]


def test_digits_may_repeat() -> None:
    assert found("The code is 5 5 5 5 5 5.") == []


@pytest.mark.parametrize(
    ("reply", "span"),
    [
        ("We open at nine and.", "and"),
        ("Please ask the", "the"),
        ("Please ask the. Thank you.", "the"),
        ("We open at nine", "nine"),
        ("It is at your.", "your"),
    ],
)
def test_a_reply_that_breaks_off_is_found(reply: str, span: str) -> None:
    assert ("cut off", span) in found(reply)


def test_a_speech_is_too_long() -> None:
    words = [f"w{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(MAX_WORDS + 2)]
    assert [kind for kind, _ in found(" ".join(words) + ".")] == ["too long"]
    assert found(" ".join(words[:MAX_WORDS]) + ".") == []


def test_sentences_end_where_a_speaker_would_stop() -> None:
    texts = [
        sentence.text.strip() for sentence in sentences("Ask Mr. Ito. It's 2.75! At 9 pm? Yes")
    ]
    assert texts == ["Ask Mr. Ito.", "It's 2.75!", "At 9 pm?", "Yes"]


@given(st.text(max_size=200))
def test_every_fault_has_a_place_in_the_text(text: str) -> None:
    for problem in form_problems(text):
        assert 0 <= problem.start <= problem.end <= len(text)


@given(st.text(max_size=200))
def test_sentences_cover_the_text(text: str) -> None:
    assert "".join(sentence.text for sentence in sentences(text)) == text


@pytest.mark.parametrize(
    ("reply", "span"),
    [
        ("You're welcome.oun!", ".oun"),
        ("I'm sorry, I:'t have that.", "'t"),
        ("Visitors over 6mont pay.", "6mont"),
        ("The loom is in room't6 now.", "'t"),
        ("No'm sorry.", "'m"),
        ("It costs $5. front place is free.", "front"),
        ("Hello and welcome?.", "?."),
        ("A lift goes a\n I to all floors.", "\n "),
        ("I'm sorry my computer, the, sorry.", "the"),
        ("Chipping an, costs $23.", "an"),
        ("Sell me a I and petrol.", "a"),
    ],
)
def test_torn_words_are_found(reply: str, span: str) -> None:
    assert ("torn", span) in found(reply)


def test_what_the_facts_write_so_is_not_torn() -> None:
    assert found("Ask for the O.K.shop.", known="The O.K.shop is open.") == []
    assert found("It takes 20min. We don't mind, I'm sure.") == []


def test_no_right_reply_of_the_packs_is_torn() -> None:
    told = (
        text
        for pack in load_packs(CORPUS / "dev")
        for turns in pack.dialogues
        for turn in turns
        for text in turn.replies
    )
    assert [text for text in told if any(kind == "torn" for kind, _ in found(text))] == []


def test_garbled_replies_that_were_really_written_are_caught_by_form() -> None:
    scenes = [json.loads(line) for line in LABELLED.read_text("utf-8").splitlines()]
    replies = [(one["label"], one["reply"], scene) for scene in scenes for one in scene["replies"]]
    torn = {"good": 0, "garbled": 0}
    for label, reply, scene in replies:
        known = "\n".join((scene["role"], *scene["facts"]))
        torn[label] += any(kind == "torn" for kind, _ in found(reply, known))

    assert torn["good"] == 0
    assert torn["garbled"] >= 35  # of 102; the others are English by their form


def test_what_a_fact_holds_can_be_said() -> None:
    fact = "There is [free] parking, see www.mill.org"
    assert found(fact, known=f"the mill\n{fact}") == []
    assert {"mark", "cut off"} <= {kind for kind, _ in found(fact)}
    # but not half of it
    assert ("cut off", "free") in [
        (kind, span.strip("[] ")) for kind, span in found("There is [free", known=fact)
    ]
