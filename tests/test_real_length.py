"""Replies as long as was asked for, with the real engines and the real voice: 20 questions."""

from __future__ import annotations

import asyncio

import pytest

from atonce.agent import engines, pipeline
from atonce.agent.knowledge import build_prompt
from atonce.agent.reply_check import check
from atonce.agent.reply_length import TOLERANCE
from atonce.config.load import defaults

QUESTIONS = {
    "When do you open on Monday?": "9:30 am",
    "When does the museum close on Friday?": "pm",
    "How much is an adult ticket?": "$14",
    "What do children pay?": "free",
    "Where is the great loom?": "room 6",
    "When is the loom shown at work?": "11:15 am",
    "Where is the pottery workshop?": "room 12",
    "How much does the pottery workshop cost?": "$8",
    "What is the special exhibition called?": "Threads of Silver",
    "Until when does the special exhibition run?": "October 18",
    "When does the guided tour start?": "2:30 pm",
    "How long does the tour last?": "50 minutes",
    "Where is the cafe?": "first floor",
    "When does the cafe close?": "5 pm",
    "Where are the lockers?": "behind the ticket desk",
    "Can I take photos?": "without flash",
    "Is there a lift?": "all floors",
    "Where can I park?": "Quillan Lane",
    "Which bus stops here?": "27",
    "Are dogs allowed?": "not allowed",
}
"""Questions about the default facts, with what their answers hold."""
ASKED_S = 6.0


async def answers() -> dict[str, pipeline.Answer]:
    """All of them, asked with the default settings and `--seconds 6`."""
    settings = defaults([f"agent.reply_s={ASKED_S}"]).settings
    loaded = await engines.load(settings, hears=False)
    return {question: await pipeline.answer(question, settings, loaded) for question in QUESTIONS}


def test_of_twenty_replies_nearly_all_last_six_seconds_and_still_answer() -> None:
    settings, right, fitting = defaults([]).settings, [], []
    for question, answer in asyncio.run(answers()).items():
        assert answer.reply is not None
        assert answer.audio is not None
        prompt = build_prompt(settings.agent.role, settings.agent.facts, question)
        assert check(answer.reply.text, prompt=prompt).passes
        if QUESTIONS[question] in answer.reply.text:
            right.append(question)

        if answer.audio.seconds == pytest.approx(ASKED_S, rel=TOLERANCE):
            fitting.append(question)

    # A refusal has nothing that may follow it, so it stays short. The margin is the writer's, whose
    # next training may refuse another question, and the voice's, which is a little different in
    # every run: 19 and 20 when this was written.
    assert len(fitting) >= 18, set(QUESTIONS) - set(fitting)
    assert len(right) >= 18, set(QUESTIONS) - set(right)
