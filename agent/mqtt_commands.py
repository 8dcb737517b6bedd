"""What may be asked of a kiosk over MQTT, and whether it is done. Pure.

Rule 1. A command is done as a whole or refused as a whole, with one sentence that says why.
Rule 2. Nothing in a message is trusted: whether it is live, its size, its types, its times.
Rule 3. An id is remembered until its command has expired, and a command expires within an hour: no
        command is done twice, and what is remembered is bounded.
Rule 4. A sentence never repeats what was in the message, apart from names of fields.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from atonce.agent.mqtt_messages import Fault
from atonce.config.service_settings import Command

LARGEST_BYTES: Final = 4096
"""A question has some hundred."""
LONGEST_WORDS: Final = 500
"""Characters: about half a minute of speech."""
MOST_AHEAD: Final = timedelta(hours=1)
"""Whoever asks for more has a wrong clock, or wants what a kiosk cannot remember."""
MOST_IN: Final = (20, timedelta(seconds=10))
"""So many commands within so long are done; more is a loop somewhere."""
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d")


def _written_time(value: object) -> object:
    """Only a written time: by itself pydantic takes seconds since 1970, too."""
    if isinstance(value, str) and _TIME.match(value):
        return value

    raise ValueError("it is no time of day")


class _Asked(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True
    )

    id: Annotated[str, StringConstraints(pattern=r"^[!-~]{1,64}$")]
    """Whoever sends it chooses it anew for every command: 1 to 64 letters, digits, signs."""
    expires_at: Annotated[AwareDatetime, BeforeValidator(_written_time), Field(strict=False)]
    """It is not begun later than this, at most an hour from now: 2026-11-26T12:00:00Z."""


_Words = Annotated[
    str,
    StringConstraints(
        min_length=1, max_length=LONGEST_WORDS, pattern=r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$"
    ),
]


class Ask(_Asked):
    """Answer this question, as if it had been spoken."""

    text: _Words
    """The question: 1 to 500 characters in one line."""


class Say(_Asked):
    """Say this sentence as it is, as soon as nobody speaks."""

    text: _Words
    """The sentence: 1 to 500 characters in one line."""


class Stop(_Asked):
    """Fall silent."""


class Mute(_Asked):
    """Do not listen to the microphone, or listen again."""

    is_muted: bool
    """true: do not listen."""


class Volume(_Asked):
    """How loud the voice is."""

    volume: Annotated[int, Field(ge=0, le=100)]
    """Percent; 100: as the loudspeaker is set."""


Asked = Ask | Say | Stop | Mute | Volume
MODELS: Final[Mapping[Command, type[Asked]]] = {
    "ask": Ask,
    "say": Say,
    "stop": Stop,
    "mute": Mute,
    "volume": Volume,
}
"""The last level of a command's topic → what is sent there."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A command that is not done."""

    command: str
    """The last level of its topic."""
    error: Fault
    """In a word."""
    message: str
    """What was wrong, and what to do."""
    id: str | None = None
    """Its own, where it had one that could be read."""


class Commands:
    """Judges the commands to one kiosk."""

    def __init__(self, obeyed: Sequence[Command]) -> None:
        """obeyed: kiosk.commands."""
        self.is_ready = False
        """Somebody is there to do them."""
        self._obeyed = obeyed
        self._done: dict[str, datetime] = {}  # id → when the command expires
        self._times: deque[datetime] = deque(maxlen=MOST_IN[0])

    def read(
        self, name: str, payload: bytes, *, is_retained: bool, now: datetime
    ) -> Asked | Refused:
        """A command that came; name: the last level of its topic. What is given is to be done."""
        command = next((known for known in MODELS if known == name), None)

        if command is None:
            known = ", ".join(MODELS)
            return Refused(name[:64], "unknown", f"there is no such command; there are: {known}")

        asked = _parsed(command, payload)
        known_id = asked.id

        if command not in self._obeyed:
            message = f"{command} is switched off: kiosk.commands does not list it"
            return Refused(command, "off", message, known_id)

        if is_retained:
            message = (
                "a retained command would be done again and again: send it without the retain "
                "flag, and clear the topic by an empty retained message"
            )
            return Refused(command, "retained", message, known_id)

        if isinstance(asked, Refused):
            return asked

        refused = self._refused(command, asked, now)

        if refused is None:
            self._done[asked.id] = asked.expires_at
            self._times.append(now)

        return refused or asked

    def _refused(self, command: Command, asked: Asked, now: datetime) -> Refused | None:
        """Why a command in good form is not done now; None: it is."""
        self._done = {known: until for known, until in self._done.items() if until > now}
        most, within = MOST_IN
        fault: tuple[Fault, str] | None = None

        if asked.expires_at <= now:
            late_s = (now - asked.expires_at).total_seconds()
            fault = "expired", f"it came {late_s:.0f} s after expires_at; are both clocks right?"
        elif asked.expires_at > now + MOST_AHEAD:
            fault = "too_far_ahead", "expires_at is more than an hour ahead; are both clocks right?"
        elif asked.id in self._done:
            fault = "repeated", "a command with this id was done already: every one needs a new id"
        elif not self.is_ready:
            fault = "not_ready", "the kiosk is not ready yet: wait until its status is online"
        elif len(self._times) == most and now - self._times[0] < within:
            seconds = within.total_seconds()
            fault = "too_many", f"more than {most} commands in {seconds:.0f} s: is there a loop?"

        return None if fault is None else Refused(command, *fault, asked.id)


def _parsed(command: Command, payload: bytes) -> Asked | Refused:
    if len(payload) > LARGEST_BYTES:
        return Refused(command, "too_large", f"it is larger than {LARGEST_BYTES} bytes")

    try:
        return MODELS[command].model_validate_json(payload)
    except ValidationError as fault:
        return Refused(command, "malformed", _sentence(command, fault), _id(payload))


def _sentence(command: Command, fault: ValidationError) -> str:
    """What was wrong first, in one sentence."""
    first = fault.errors(include_url=False, include_input=False, include_context=False)[0]
    wanted = json.dumps({"id": "…", "expires_at": "2026-11-26T12:00:00Z", **_EXAMPLES[command]})
    wanted = wanted.replace("\\u2026", "…")
    where = ".".join(str(part) for part in first["loc"])[:64]

    match first["type"]:
        case "json_invalid":
            problem = "it is no JSON"
        case "model_type":
            problem = "it is no JSON object"
        case "missing":
            problem = f"{where} is missing"
        case "extra_forbidden":
            problem = f"{where} is not known here"
        case _:
            field = MODELS[command].model_fields.get(where)
            problem = f"{where} is not what is wanted" if field else "it is not what is wanted"

    return f"{problem}; wanted is for example {wanted}"


_EXAMPLES: Final[Mapping[Command, Mapping[str, object]]] = {
    "ask": {"text": "When do you open?"},
    "say": {"text": "The museum closes in ten minutes."},
    "stop": {},
    "mute": {"is_muted": True},
    "volume": {"volume": 60},
}


def _id(payload: bytes) -> str | None:
    """The id of a message that is otherwise not as it should be."""
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        return None

    given = found.get("id") if isinstance(found, dict) else None
    return given if isinstance(given, str) and re.fullmatch(r"[!-~]{1,64}", given) else None
