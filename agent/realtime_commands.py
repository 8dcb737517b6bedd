"""What a client may ask of its talk, in OpenAI's Realtime names and ours (pure).

Rule 1. A message is obeyed as a whole or refused as a whole, with one sentence that says why.
Rule 2. Nothing in a message is trusted: its size, its types and its numbers are checked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import count
from typing import Final

LONGEST_MESSAGE: Final = 32_768  # characters; a question has some hundred
LONGEST_QUESTION: Final = 1_000  # characters: more than a minute of speech
LONGEST_DELAY_S: Final = 5.0  # a browser that says more has counted wrong
LONGEST_ID: Final = 512  # characters, as in OpenAI's API


@dataclass(frozen=True, slots=True)
class Ask:
    """Answer a question that was written, not spoken."""

    text: str
    """The question."""


@dataclass(frozen=True, slots=True)
class Note:
    """A written question is there; it waits for response.create."""

    item: str
    """Its id: the client's, or one of ours."""
    text: str
    """Its words."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Fall silent."""

    wants_reply: bool = False
    """It is refused where no reply is on the way."""
    cause: str | None = None
    """The message's own event_id."""


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


Command = Note | Ask | Stop | Forget | ChooseSteps | TellDelay | Refuse
_OBEYED: Final = (
    "session.update",
    "conversation.item.create",
    "response.create",
    "response.cancel",
    "output_audio_buffer.clear",
    "atonce.forget",
    "atonce.playout",
)
_BY_TRACK: Final = "sound comes through the connection's own track, and the server finds its ends"
_UNSUPPORTED: Final = {
    "input_audio_buffer.append": _BY_TRACK,
    "input_audio_buffer.commit": _BY_TRACK,
    "input_audio_buffer.clear": _BY_TRACK,
    "conversation.item.truncate": "the server knows what was heard, and keeps only that",
    "conversation.item.delete": "single items stay; atonce.forget forgets the whole talk",
    "conversation.item.retrieve": "items are told when they come about, and not kept for asking",
}
"""What OpenAI's API has and this one does not, and why."""


class RealtimeCommands:
    """Reads the messages of one talk."""

    def __init__(self, *, min_steps: int, max_steps: int) -> None:
        """min_steps, max_steps: the K that the operator allows."""
        self._least = min_steps
        self._most = max_steps
        self._question = ""  # written items that wait for response.create
        self._items = count(1)

    def receive(self, text: str | bytes) -> Command:
        """What a message asks for."""
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
        return self._obey(message, _plain(cause)[:LONGEST_ID] if isinstance(cause, str) else None)

    def _obey(self, message: dict[str, object], cause: str | None) -> Command:
        match message.get("type"):
            case "session.update":
                return self._choose(message, cause)
            case "conversation.item.create":
                return self._note(message, cause)
            case "response.create":
                return self._ask(message, cause)
            case "response.cancel":
                return Stop(wants_reply=True, cause=cause)
            case "output_audio_buffer.clear":
                return Stop()
            case "atonce.forget":
                return Forget()
            case "atonce.playout":
                return _delay(message, cause)
            case name:
                return _unknown(name, cause)

    def _choose(self, message: dict[str, object], cause: str | None) -> Command:
        session = message.get("session")
        ours = session.get("atonce") if isinstance(session, dict) else None
        is_all = isinstance(session, dict) and session.keys() <= {"type", "atonce"}

        if not is_all or not isinstance(ours, dict) or ours.keys() != {"steps"}:
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

    def _note(self, message: dict[str, object], cause: str | None) -> Command:
        text = _written(message.get("item"))

        if not text:
            wanted = (
                'an item of role "user" with nothing but content of type "input_text" is wanted'
            )
            return Refuse("invalid_item", wanted, cause)

        question = f"{self._question} {text}".strip()

        if len(question) > LONGEST_QUESTION:
            limit = f"a question has at most {LONGEST_QUESTION} characters"
            return Refuse("question_too_long", limit, cause)

        self._question = question
        item = message["item"]
        told = item.get("id") if isinstance(item, dict) else None
        is_id = isinstance(told, str) and 0 < len(told) <= LONGEST_ID
        return Note(_plain(str(told)) if is_id else f"item_written_{next(self._items)}", text)

    def _ask(self, message: dict[str, object], cause: str | None) -> Command:
        if message.get("response") not in _PLAIN_RESPONSES:
            only = "a reply is written as the operator's settings say: send response.create alone"
            return Refuse("unsupported_setting", only, cause)

        question, self._question = self._question, ""

        if question:
            return Ask(question)

        wanted = "nothing was asked: send a conversation.item.create with the question first"
        return Refuse("nothing_asked", wanted, cause)


_PLAIN_RESPONSES: Final[tuple[object, ...]] = (None, {}, {"output_modalities": ["audio"]})
"""What a client may say of the response that it wants: nothing that is not so anyhow."""


def _unknown(name: object, cause: str | None) -> Refuse:
    if isinstance(name, str) and name in _UNSUPPORTED:
        why = f"{name} is not supported: {_UNSUPPORTED[name]}"
        return Refuse("unsupported_type", why, cause)

    told, known = repr(name)[:80], ", ".join(_OBEYED)
    return Refuse("unknown_type", f"no such type: {told}; known: {known}", cause)


def _written(item: object) -> str:
    """The text of a person's written item; empty where it is none."""
    if not isinstance(item, dict) or item.get("role") != "user":
        return ""

    content = item.get("content")
    texts = [_text(part) for part in content] if isinstance(content, list) else []
    return " ".join(text for text in texts if text is not None) if None not in texts else ""


def _text(part: object) -> str | None:
    """Of one part of an item; None where it is something else."""
    if not isinstance(part, dict) or part.get("type") != "input_text":
        return None

    text = part.get("text")
    return " ".join(_plain(text).split()) if isinstance(text, str) else None


def _plain(text: str) -> str:
    """A text without halves of characters, which JSON can hold and nobody can send on."""
    return text.encode("utf-8", "replace").decode()


def _delay(message: dict[str, object], cause: str | None) -> Command:
    delay_ms = message.get("delay_ms")

    is_flag = isinstance(delay_ms, bool)  # Python counts True as 1

    if (
        isinstance(delay_ms, int | float)
        and not is_flag
        and 0 <= delay_ms <= 1000 * LONGEST_DELAY_S  # before anything is reckoned with it
    ):
        return TellDelay(delay_ms / 1000)

    wanted = f"delay_ms must be a number from 0 to {1000 * LONGEST_DELAY_S:.0f}"
    return Refuse("invalid_delay", wanted, cause)
