"""What a client may ask of its talk, in OpenAI's Realtime names and ours (pure).

Rule 1. A message is obeyed as a whole or refused as a whole, with one sentence that says why.
Rule 2. Nothing in a message is trusted: its size, its types and its numbers are checked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

LONGEST_MESSAGE: Final = 32_768  # characters; a question has some hundred
LONGEST_QUESTION: Final = 1_000  # characters: more than a minute of speech
LONGEST_DELAY_S: Final = 5.0  # a browser that says more has counted wrong


@dataclass(frozen=True, slots=True)
class Ask:
    """Answer a question that was written, not spoken."""

    text: str
    """The question."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Fall silent."""


@dataclass(frozen=True, slots=True)
class Forget:
    """Forget what was said in this talk."""


@dataclass(frozen=True, slots=True)
class ChooseSteps:
    """Write the replies of this talk with a K of the person's own."""

    steps: int | None
    """K; None: the watchdog's choice again."""


@dataclass(frozen=True, slots=True)
class TellDelay:
    """How long sound takes from leaving here until it is audible there."""

    delay_s: float
    """Measured by the client, seconds."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The message is not obeyed."""

    code: str
    """In a word."""
    message: str
    """What was wrong, and what would be right."""
    cause: str | None = None
    """The message's own event_id."""


Command = Ask | Stop | Forget | ChooseSteps | TellDelay | Refuse
_STOPS: Final = ("response.cancel", "output_audio_buffer.clear")
_OBEYED: Final = (
    "session.update",
    "conversation.item.create",
    "response.create",
    *_STOPS,
    "atonce.forget",
    "atonce.playout",
)


class RealtimeCommands:
    """Reads the messages of one talk."""

    def __init__(self, *, min_steps: int, max_steps: int) -> None:
        """min_steps, max_steps: the K that the operator allows."""
        self._least = min_steps
        self._most = max_steps
        self._question = ""  # written items that wait for response.create

    def receive(self, text: str | bytes) -> Command | None:
        """What a message asks for; None where there is nothing to do yet."""
        if not isinstance(text, str) or len(text) > LONGEST_MESSAGE:
            limit = f"JSON text of at most {LONGEST_MESSAGE} characters is wanted"
            return Refuse("invalid_message", limit)

        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            return Refuse("invalid_json", "this is no JSON: send one object a message")

        if not isinstance(message, dict):
            return Refuse("invalid_json", "a JSON object with a type is wanted")

        cause = message.get("event_id")
        return self._obey(message, cause if isinstance(cause, str) else None)

    def _obey(self, message: dict[str, object], cause: str | None) -> Command | None:
        match message.get("type"):
            case "session.update":
                return self._choose(message, cause)
            case "conversation.item.create":
                return self._note(message, cause)
            case "response.create":
                return self._ask(cause)
            case name if name in _STOPS:
                return Stop()
            case "atonce.forget":
                return Forget()
            case "atonce.playout":
                return _delay(message, cause)
            case name:
                known = ", ".join(_OBEYED)
                return Refuse("unknown_type", f"no such type: {name!r}; known: {known}", cause)

    def _choose(self, message: dict[str, object], cause: str | None) -> Command:
        session = message.get("session")
        ours = session.get("atonce") if isinstance(session, dict) else None

        if not isinstance(ours, dict) or "steps" not in ours:
            return Refuse(
                "unsupported_setting",
                "only session.atonce.steps can be changed in a talk; the rest is the operator's",
                cause,
            )

        steps = ours["steps"]

        if steps is None:
            return ChooseSteps(None)

        is_flag = isinstance(steps, bool)  # Python counts True as 1

        if isinstance(steps, int) and not is_flag and self._least <= steps <= self._most:
            return ChooseSteps(steps)

        wanted = f"a whole number from {self._least} to {self._most}, or null"
        return Refuse("invalid_steps", f"session.atonce.steps must be {wanted}", cause)

    def _note(self, message: dict[str, object], cause: str | None) -> Command | None:
        text = _written(message.get("item"))

        if not text:
            wanted = 'an item of role "user" with content of type "input_text" is wanted'
            return Refuse("invalid_item", wanted, cause)

        question = f"{self._question} {text}".strip()

        if len(question) > LONGEST_QUESTION:
            limit = f"a question has at most {LONGEST_QUESTION} characters"
            return Refuse("question_too_long", limit, cause)

        self._question = question
        return None

    def _ask(self, cause: str | None) -> Command:
        question, self._question = self._question, ""

        if question:
            return Ask(question)

        wanted = "nothing was asked: send a conversation.item.create with the question first"
        return Refuse("nothing_asked", wanted, cause)


def _written(item: object) -> str:
    """The text of a person's written item; empty where it is none."""
    if not isinstance(item, dict) or item.get("role") != "user":
        return ""

    content = item.get("content")
    parts = content if isinstance(content, list) else []
    texts = [
        part.get("text")
        for part in parts
        if isinstance(part, dict) and part.get("type") == "input_text"
    ]
    return " ".join(" ".join(text.split()) for text in texts if isinstance(text, str)).strip()


def _delay(message: dict[str, object], cause: str | None) -> Command:
    delay_ms = message.get("delay_ms")

    is_flag = isinstance(delay_ms, bool)  # Python counts True as 1

    if (
        isinstance(delay_ms, int | float)
        and not is_flag
        and 0 <= delay_ms / 1000 <= LONGEST_DELAY_S
    ):
        return TellDelay(delay_ms / 1000)

    wanted = f"delay_ms must be a number from 0 to {1000 * LONGEST_DELAY_S:.0f}"
    return Refuse("invalid_delay", wanted, cause)
