"""What a person sees of one turn."""

import pytest

from atonce.agent.events import DraftMade
from atonce.agent.screen import OPEN_CELL, Screen, draft_line
from atonce.llm.protocols import Cell, Draft


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
