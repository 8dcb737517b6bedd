"""What happened in a turn, for whoever shows or records it; `at_s` is the clock's time."""

from __future__ import annotations

from dataclasses import dataclass

from atonce.agent.reply_check import Verdict
from atonce.llm.protocols import Draft


@dataclass(frozen=True, slots=True)
class QuestionHeard:
    """The final transcript of the question is there."""

    at_s: float
    """Seconds on the session's clock."""
    text: str
    """What was heard."""


@dataclass(frozen=True, slots=True)
class PromptRead:
    """Role, facts, history and question lie in the writer's cache."""

    at_s: float
    """Seconds on the session's clock."""
    tokens: int
    """Length of the prompt."""


@dataclass(frozen=True, slots=True)
class DraftMade:
    """One denoising step ended."""

    at_s: float
    """Seconds on the session's clock."""
    draft: Draft
    """The canvas after it."""
    repair: int
    """0 while the reply is first written, then the number of the repair."""


@dataclass(frozen=True, slots=True)
class ReplyChecked:
    """The reply was checked: it stands, it is masked again in part, or it is given up."""

    at_s: float
    """Seconds on the session's clock."""
    verdict: Verdict
    """What the check found."""
    final: bool
    """The reply that will be spoken is settled."""


@dataclass(frozen=True, slots=True)
class ChunkSpoken:
    """A piece of the reply's sound is ready."""

    at_s: float
    """Seconds on the session's clock."""
    seconds: float
    """Length of the piece."""


@dataclass(frozen=True, slots=True)
class NothingToSay:
    """The reply is written but holds nothing that can be spoken; no sound will follow."""

    at_s: float
    """Seconds on the session's clock."""
    text: str
    """The reply as written."""


Event = QuestionHeard | PromptRead | DraftMade | ReplyChecked | ChunkSpoken | NothingToSay
