"""What a person sees of one turn."""

import numpy as np
import pytest

from atonce.agent.ask import Outcome
from atonce.agent.events import DraftMade, PlanMade
from atonce.agent.reply_rules import Reply
from atonce.agent.screen import OPEN_CELL, Screen, draft_line, told
from atonce.agent.timeline import Timeline
from atonce.llm.protocols import Cell, Draft, Plan
from atonce.speech.protocols import Audio


def event(*cells: Cell, repair: int = 0) -> DraftMade:
    return DraftMade(0.0, Draft(2, 8, cells), repair)


def test_open_positions_are_bars_and_settled_ones_words() -> None:
    line = draft_line(event(Cell(5, "We", False, 0.95), Cell(16, "", True, 0.0)))

    assert line.plain == f"draft  We{OPEN_CELL}   step 2 of 8"


def test_a_repair_says_so() -> None:
    assert draft_line(event(repair=2)).plain.startswith("repair 2")


def test_the_less_sure_a_word_the_fainter_it_is() -> None:
    cells = [Cell(5, "a", False, sure) for sure in (0.95, 0.7, 0.2)]
    line = draft_line(event(*cells))
    styles = [str(span.style) for span in line.spans][1:4]

    assert styles == ["bold", "default", "yellow"]


def test_nothing_is_drawn_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with Screen(is_silent=False) as screen:
        screen.show(event(Cell(5, "We", False, 0.95)))

    assert capsys.readouterr() == ("", "")


def test_a_fact_that_was_read_out_for_lack_of_time_is_told_so() -> None:
    def outcome(source: str, *, planned: int, done: int) -> Outcome:
        reply = Reply("We open at 9.", source, done, 0, forced=False)  # type: ignore[arg-type]
        sound = Audio(np.zeros(1, dtype=np.float32), 16_000)
        plan = PlanMade(0.0, Plan(planned, 40), "")
        return Outcome("When?", reply, sound, Timeline(0.0), {}, plan)

    assert "no time" in told(outcome("fact", planned=0, done=0))
    assert "no draft passed" in told(outcome("fact", planned=0, done=1))
    assert "no draft passed" in told(outcome("fact", planned=4, done=4))
    assert "diffusion" in told(outcome("denoiser", planned=0, done=1))
