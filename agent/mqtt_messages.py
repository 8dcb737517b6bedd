"""What a kiosk publishes over MQTT: the messages, and the topics below its base topic. Pure.

Rule 1. Every message is one JSON object of a model below; their JSON schemas are those of
        docs/mqtt.md.
Rule 2. Words of a person or of a reply are in Transcript and Reply alone.
Rule 3. `at` is the time of day (UTC) at which the kiosk made the message. A message made before it
        happened, the last will, has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from atonce.agent.events import State as Turn
from atonce.config.service_settings import Command

Presence = Literal["starting", "online", "offline"]
"""Still loading, or without a microphone; ready to talk; gone."""
Fault = Literal[
    "off",
    "unknown",
    "retained",
    "too_large",
    "malformed",
    "not_ready",
    "expired",
    "too_far_ahead",
    "repeated",
    "too_many",
    "trouble",
]
"""Why a command was not done; trouble: something failed in the kiosk itself."""


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Status(_Message):
    """Whether the kiosk is there. Retained, and the last will."""

    at: AwareDatetime | None
    """When; null in the last will, which the broker publishes by itself."""
    status: Presence
    """Is it there?"""
    reason: str
    """Why, in a few words."""
    version: str
    """Of atonce."""
    commands: list[Command]
    """What it obeys (kiosk.commands)."""
    is_publishing_transcripts: bool
    """Whether words are published (kiosk.publish_transcripts)."""


class State(_Message):
    """Whose turn it is, and how it is set. Retained; it counts only while the status is online."""

    at: AwareDatetime
    """When."""
    state: Turn
    """listening: nobody speaks; hearing: a person; thinking: a reply is written; speaking: the
    agent; paused: it waits for what a person wants."""
    is_muted: bool
    """The microphone is not listened to."""
    volume: Annotated[int, Field(ge=0, le=100)]
    """Of the voice, percent."""


class Error(_Message):
    """Something was not done, or failed; the kiosk goes on."""

    at: AwareDatetime
    """When."""
    error: Fault
    """In a word."""
    message: str
    """What was wrong, and what to do."""
    command: str | None
    """The last level of the command's topic; null where it was none."""
    id: str | None
    """The command's own; null where it had none that could be read."""


class Transcript(_Message):
    """What a person said, or was asked in writing, and the agent answered."""

    at: AwareDatetime
    """When its answer was first heard."""
    text: str
    """The words."""


class Reply(_Message):
    """What was heard of the agent."""

    at: AwareDatetime
    """When it ended."""
    text: str
    """The words that were heard."""
    is_cut: bool
    """It was interrupted: there was more."""


MODELS: Final[Mapping[str, type[_Message]]] = {
    "status": Status,
    "state": State,
    "error": Error,
    "transcript": Transcript,
    "reply": Reply,
}
"""The last level of a topic → what is published on it."""
_RETAINED: Final = ("status", "state")


@dataclass(frozen=True, slots=True)
class Message:
    """A message as the broker gets it."""

    topic: str
    """All of it."""
    payload: bytes = b""
    """JSON."""
    is_retained: bool = False
    """The broker keeps it for whoever comes later."""


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one kiosk."""

    base: str
    """What all of them begin with (kiosk.base_topic)."""

    @property
    def status(self) -> str:
        """Where the kiosk, or the broker for it, says whether it is there."""
        return f"{self.base}/status"

    @property
    def commands(self) -> str:
        """A filter for all commands."""
        return f"{self.base}/command/+"

    def command(self, topic: str) -> str | None:
        """The command that a topic names; None: it is no command's."""
        before, _, name = topic.rpartition("/")
        return name if before == f"{self.base}/command" else None

    def message(self, content: _Message) -> Message:
        """Something to publish."""
        name = next(name for name, model in MODELS.items() if type(content) is model)
        payload = content.model_dump_json().encode()
        return Message(f"{self.base}/{name}", payload, is_retained=name in _RETAINED)


@dataclass(frozen=True, slots=True)
class Presences:
    """Makes the status messages of one kiosk."""

    topics: Topics
    """Its topics."""
    version: str
    """Of atonce."""
    commands: tuple[Command, ...]
    """What it obeys."""
    is_publishing_transcripts: bool
    """Whether words are published."""

    def of(self, status: Presence, reason: str, at: datetime | None) -> Message:
        """at: None for the last will."""
        return self.topics.message(
            Status(
                at=at,
                status=status,
                reason=reason,
                version=self.version,
                commands=list(self.commands),
                is_publishing_transcripts=self.is_publishing_transcripts,
            )
        )


def is_there(payload: bytes) -> bool:
    """Whether a status says that some kiosk is there; what is no status says nothing."""
    try:
        return Status.model_validate_json(payload).status != "offline"
    except ValueError:
        return False
