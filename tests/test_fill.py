"""Gaps filled from the facts, and lines of a file rewritten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from atonce.agent.cli import main
from atonce.agent.fill import parts_of, span_of, write
from atonce.config.errors import EngineError, UsageError
from atonce.llm.fakes import FakeWriter
from atonce.llm.filling import GapWriter, fill, fits, runs
from atonce.llm.protocols import Cell, Infiller, Plan, Prompt

FAKE = ("--set", "llm.engine=fake")
TOURS = ("--set", "agent.facts.tour=Tours start at noon every day.")


def say(writer: FakeWriter, text: str, *facts: str) -> tuple[str, tuple[str, ...]]:
    """The text with its gaps filled."""
    filled = fill(writer, Prompt("a guide", facts, text), parts_of(text), Plan(4, 8))
    return filled.text, filled.gaps


def test_a_gap_is_as_wide_as_its_likeliest_filling() -> None:
    said = say(FakeWriter(), "Tours start ____ every day.", "Tours start at noon every day.")
    assert said == ("Tours start at noon every day.", ("at noon",))


def test_any_number_of_gaps_at_any_place_is_filled() -> None:
    fact = "Tours start at noon every day here."
    text, gaps = say(FakeWriter(), "____ start at noon ____ day ____", fact)
    assert text == fact
    assert gaps == ("Tours", "every", "here.")


def test_the_words_around_a_gap_stay_as_they_are() -> None:
    text, _ = say(FakeWriter(), "Well, tours ____ daily!", "Tours start at noon every day.")
    assert text.startswith("Well, tours ")
    assert text.endswith(" daily!")


@pytest.mark.parametrize(
    ("left", "said", "right", "is_fitting"),
    [
        ("open from", " 9 am", " to five", True),
        ("open from", " from 9 am", " to five", False),
        ("open from", " 9 am to", " to five", False),
        ("costs", ".", ".", False),
        ("", "Tours", " start", True),
    ],
)
def test_a_gap_says_something_and_repeats_nothing(
    left: str, said: str, right: str, is_fitting: bool
) -> None:
    assert fits(left, said, right) == is_fitting


def test_what_stands_in_a_gap_is_tried_without_its_first_or_last_words() -> None:
    cells = [Cell(i, text, False, 1.0) for i, text in enumerate([" open", " from", " 9", ":30"])]
    assert list(runs(cells).values()) == [
        " open", " open from", " open from 9:30", " from 9:30", " 9:30",
    ]  # fmt: skip


def test_a_sentence_may_want_the_end_of_what_the_fact_says() -> None:
    fact = "The place is open from 9 on Saturday."
    text, gaps = say(FakeWriter(), "We open ____ on Saturday.", fact)
    assert (text, gaps) == ("We open from 9 on Saturday.", ("from 9",))


def test_a_text_too_long_for_the_canvas_is_refused() -> None:
    with pytest.raises(EngineError, match="the engine writes at most 400"):
        say(FakeWriter(), "word " * 400 + "____", "A fact.")


@pytest.mark.parametrize("text", ["no gap", "_", "", "__ " * 9])
def test_a_text_without_gaps_or_with_too_many_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="one to 8 gaps"):
        parts_of(text)


def test_a_blank_before_a_gap_belongs_to_what_fills_it() -> None:
    assert parts_of("We open at ____ on Saturday") == ["We open at", " on Saturday"]
    assert parts_of("It costs $____.") == ["It costs $", "."]


@pytest.mark.parametrize(("lines", "first", "last"), [("12-20", 12, 20), ("7", 7, 7)])
def test_lines_are_a_pair_or_one(lines: str, first: int, last: int) -> None:
    assert span_of(Path("a.py"), lines) == span_of(Path("a.py"), f"{first}-{last}")


def test_the_fake_fills_gaps_and_does_not_rewrite_files() -> None:
    assert isinstance(FakeWriter(), GapWriter)
    assert not isinstance(FakeWriter(), Infiller)


# ---- the command ----


def test_the_command_prints_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fill", "Tours start ____ every day.", *FAKE, *TOURS]) == 0
    assert capsys.readouterr().out == "Tours start at noon every day.\n"


def test_the_command_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fill", "Tours start ____ every day.", "--json", *FAKE, *TOURS]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["gaps"] == ["at noon"]
    assert said["engine"] == "fake"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no gap"], "one to 8 gaps"),
        ([], "give a text with gaps"),
        (["a ____", "--file", "x"], "give a text with gaps"),
        (["--file", "x"], "give a text with gaps"),
        (["--file", "no-such-file", "--lines", "1"], "no-such-file cannot be read"),
        (["--file", "no-such-file", "--lines", "one"], "--lines wants numbers"),
        (["--file", "x", "--lines", "20-12"], "ends before it begins: write 12-20"),
        (["--file", ".", "--lines", "1"], ". cannot be read"),
        (["a ____", "--lines", "1"], "--lines and --write are for a file"),
        (["a ____", "--write"], "--lines and --write are for a file"),
        (["--file", "x", "--lines", "1", "--json"], "--json is for gaps"),
    ],
)
def test_a_wrong_command_is_told_in_one_sentence(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fill", *arguments, *FAKE]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert len(error.splitlines()) == 1


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A file of four lines."""
    file = tmp_path / "code.py"
    file.write_text("one\ntwo\nthree\nfour\n", encoding="utf-8")
    return file


def test_an_engine_that_does_not_declare_infilling_says_so(
    code: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fill", "--file", str(code), "--lines", "2-3", *FAKE]) == 1
    assert "fake does not rewrite files" in capsys.readouterr().err


def test_lines_that_a_file_does_not_have_are_refused(
    code: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for lines in ("0-2", "4-5"):
        assert main(["fill", "--file", str(code), "--lines", lines, *FAKE]) == 2
        assert "has 4 lines" in capsys.readouterr().err


OWN = '''
from atonce.llm.fakes import FakeWriter
from atonce.llm.protocols import Cell, Draft

class Rewriter(FakeWriter):
    """Counts what it was shown."""

    def infill(self, before, after, plan):
        text = f"  {len(before.splitlines())} before, {len(after.splitlines())} after"
        yield Draft(1, 1, (Cell(1, text, False, 1.0),))
'''


@pytest.fixture
def rewrite(code: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command that has an engine of one's own rewrite two lines of the file."""
    (code.parent / "own_rewriter.py").write_text(OWN, encoding="utf-8")
    monkeypatch.syspath_prepend(code.parent)
    engine = "llm.engine=own_rewriter:Rewriter"
    return ["fill", "--file", str(code), "--lines", "2-3", "--set", engine]


def test_what_is_rewritten_keeps_the_newlines_of_the_file(code: Path, rewrite: list[str]) -> None:
    code.write_bytes(b"one\x0c1\r\ntwo\r\nthree\r\nfour")
    assert main([*rewrite, "--write"]) == 0
    assert code.read_bytes() == b"one\x0c1\r\n  2 before, 1 after\r\nfour"


def test_a_last_line_without_a_newline_gets_none(code: Path, rewrite: list[str]) -> None:
    code.write_bytes(b"one\ntwo\nthree")
    assert main([*rewrite, "--write"]) == 0
    assert code.read_bytes() == b"one\n  1 before, 0 after"


def test_a_file_that_is_no_text_is_refused(
    code: Path, rewrite: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code.write_bytes(b"\xff\n" * 4)
    assert main(rewrite) == 2
    assert "cannot be read as text: it is not UTF-8" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written: Is a directory"):
        write(tmp_path, "text")


def test_an_engine_that_declares_infilling_rewrites_lines(
    code: Path, rewrite: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(rewrite) == 0
    shown = capsys.readouterr().out
    assert "-two\n-three\n+  1 before, 1 after\n" in shown
    assert code.read_text(encoding="utf-8") == "one\ntwo\nthree\nfour\n"
    assert main([*rewrite, "--write"]) == 0
    assert code.read_text(encoding="utf-8") == "one\n  1 before, 1 after\nfour\n"
