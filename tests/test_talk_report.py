"""A talk, told and drawn from its log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from atonce.agent.cli import main


def one_turn(number: int, first_audio_s: float) -> list[dict[str, object]]:
    """A question whose last word ended at 10 s, as a log has it."""
    reply = {"text": "We open at 9:30 am.", "source": "denoiser", "steps": 2, "repaired": 0,
             "forced": False}  # fmt: skip
    plan = {"steps": 4, "canvas": 40}
    draft = {"step": 1, "steps": 4, "forced": False, "text": "", "cells": []}
    end_s = first_audio_s + 2
    return [
        {"event": "speech_detected", "at_s": 9.1, "from_s": 9.0},
        {"event": "speech_paused", "at_s": 10.12, "speech_end_s": 10.0},
        {"event": "words_heard", "at_s": 10.25, "text": "When do you open?", "settled": 4,
         "is_final": True},
        {"event": "reply_started", "at_s": 10.25, "reply": number, "question": "When do you open?",
         "is_early": True},
        {"event": "plan_made", "at_s": 10.25, "plan": plan, "reason": "K 4", "reply": number},
        {"event": "speech_stopped", "at_s": 10.3, "speech_end_s": 10.0},
        {"event": "prompt_read", "at_s": 10.38, "tokens": 405},
        {"event": "draft_made", "at_s": 10.42, "draft": draft, "repair": 0},
        {"event": "draft_made", "at_s": 10.46, "draft": draft, "repair": 0},
        {"event": "reply_checked", "at_s": 10.47, "verdict": {"problems": []}, "final": True},
        {"event": "reply_settled", "at_s": 10.47, "reply": reply, "number": number},
        {"event": "reply_waits", "at_s": 10.55, "reply": number},
        {"event": "first_audio", "at_s": first_audio_s, "reply": number},
        {"event": "reply_ended", "at_s": end_s, "heard": "We open", "is_cut": False,
         "reply": number},
    ]  # fmt: skip


@pytest.fixture
def log(tmp_path: Path) -> Path:
    lines = [json.dumps(event) for n in (1, 2) for event in one_turn(n, 10.6 + n / 2)]
    (tmp_path / "events.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    (tmp_path / "settings.yaml").write_text("watchdog:\n  first_audio_ms: 1500\n", "utf-8")
    return tmp_path


def test_the_report_tells_turns_marks_and_shares(
    log: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["report", str(log)]) == 0
    out = capsys.readouterr().out
    for part in ("1100 ms", "1600 ms late", "2 of 4", "first_audio", "2 replies were heard"):
        assert part in out

    assert "1 came later than 1500 ms" in out
    assert "drafts: held 2" in out


def test_programs_get_one_line(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(log / "events.jsonl"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["turns"], told["late"]) == (2, 1)
    assert told["marks_ms"]["first_audio"] == {"p50": 1100, "p95": 1600, "p99": 1600}


def test_one_turn_is_drawn_as_a_waterfall(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(log), "--turn", "1"]) == 0
    out = capsys.readouterr().out
    assert "draft_2" in out
    assert "When do you open?" in out
    assert main(["report", str(log), "--turn", "7"]) == 2
    assert "there is no turn 7 in this log; there are: 1, 2" in capsys.readouterr().err


def test_the_talk_is_drawn(log: Path, tmp_path: Path) -> None:
    picture = tmp_path / "talk.svg"
    assert main(["report", str(log), "--picture", str(picture)]) == 0
    assert picture.read_text("utf-8").startswith("<?xml")
    assert main(["report", str(log), "--picture", str(tmp_path / "no" / "talk.svg")]) == 1


def test_what_is_no_log_is_one_clear_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(tmp_path)]) == 2
    assert "events.jsonl" in capsys.readouterr().err
    (tmp_path / "events.jsonl").write_text("hello\n[1, 2]\n", "utf-8")
    assert main(["report", str(tmp_path)]) == 2
    assert "holds no events" in capsys.readouterr().err


def test_a_line_that_was_cut_off_is_left_out_and_told(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (log / "events.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"event": "first_au')

    assert main(["report", str(log)]) == 0
    assert "1 lines of" in capsys.readouterr().err


def test_what_a_log_tells_beside_the_talk_is_passed_over(
    log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (log / "events.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"event": "log_began", "at_s": 1.0}\n')
        file.write('{"event": "first_audio", "at_s": "soon", "reply": 1}\n')

    assert main(["report", str(log)]) == 0
    told = capsys.readouterr()
    assert "2 replies were heard" in told.out
    assert "1 lines of" in told.err
