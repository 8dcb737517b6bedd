"""Long talks: nothing is left behind, and nothing hangs."""

from __future__ import annotations

import gc
import random
import sys
from array import array
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from session_stage import RATE, UNCHECKED, Phone, at, broken, talk

from atonce.agent.events import FirstAudio, ReplyEnded
from atonce.agent.fakes import ScriptedWriter
from atonce.agent.session import Session
from atonce.speech.protocols import Audio


def test_two_hundred_turns_take_the_same_time_and_leave_nothing_behind() -> None:
    turns, every_s = 200, 1.6
    blocks: list[int] = []
    audible = array("d")

    def during(session: Session) -> None:
        def ask(turn: int) -> None:
            session.ask("When do you open")

            if turn + 1 < turns:  # one timer at a time: many would hide what stays behind
                at(every_s, partial(ask, turn + 1))

        at(0.2, partial(ask, 0))

    def watch(phone: Phone, writer: ScriptedWriter) -> None:
        def look(turn: int) -> None:
            audible.extend(event.at_s for event in phone.of(FirstAudio))
            phone.played.clear()
            phone.events.clear()
            writer.prompts.clear()

            if turn >= 49 and (turn - 49) % 50 == 0:
                gc.collect()
                blocks.append(sys.getallocatedblocks())

            at(every_s, partial(look, turn + 1))

        at(1.5, partial(look, 0))

    talk(seconds=turns * every_s, settings=UNCHECKED, during=during, watch=watch)
    waits = [at_s - turn * every_s for turn, at_s in enumerate(audible)]

    assert len(audible) == turns
    assert max(waits[190:]) <= max(waits[2:12]) + 0.03
    # What stays behind stays behind in every fifty turns; a cache that fills, or a thread of
    # another test that ends, moves this count of the whole process in one of them only.
    assert min(after - before for before, after in pairwise(blocks)) < 2 * 50


@pytest.mark.parametrize("seed", range(3))
def test_after_random_interruptions_it_still_listens_and_answers(seed: int) -> None:
    dice = random.Random(seed)
    clap = Audio(np.random.default_rng(seed).uniform(-0.5, 0.5, 1600).astype(np.float32), RATE)
    words = ["mhm", "stop", "wait", "okay", "When do you open", "go on", "and what does it cost"]
    said: list[tuple[float, str | Audio]] = [(0.5, "Please tell me everything")]

    while said[-1][0] < 100:
        what = dice.choice([*words, clap])
        said.append((said[-1][0] + dice.uniform(1.0, 7.0), what))

    def during(session: Session) -> None:
        for _ in range(5):
            command = dice.choice(
                [session.stop, session.clear, partial(session.ask, "When do you open")]
            )
            at(dice.uniform(1.0, 100.0), command)

    done = talk(
        *said,
        (125.0, "And what does it cost in all"),
        seconds=140,
        settings=[*UNCHECKED, "agent.sentences.apology=I am sorry."],
        change=broken("writer", "write", times=dice.randrange(3)),
        during=during,
    )
    ended = [event.at_s for event in done.phone.of(ReplyEnded)]

    assert done.replies[-1] == "It costs eight euros."
    assert done.states[-1] == "listening"
    assert ended == sorted(ended)
    assert done.phone.playback.underruns == 0
    assert not done.phone.playback.is_sounding
    assert not done.session._speeches._speeches  # nothing is left that nobody waits for
