"""What is published of a talk, made of its events. Pure.

Rule 1. No word that somebody said, and none of a reply, leaves unless it is wanted: also a fault's
        sentence is published without what it quotes.
Rule 2. A question is told once the agent answers it, so that words of one turn are one transcript.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from atonce.agent.events import ErrorRaised, ReplyEnded, SessionEvent, StateChanged
from atonce.agent.events import State as Turn
from atonce.agent.mqtt_commands import Refused
from atonce.agent.mqtt_messages import Error, Message, Reply, State, Topics, Transcript
from atonce.agent.talk_view import TalkView

_QUOTED = re.compile(r"(?<!\w)(['\"]).*\1(?!\w)", re.DOTALL)
"""From the first quotation mark to the last one of its kind: a quoted text may hold some. One
within a word is an apostrophe."""


def unquoted(message: str) -> str:
    """A sentence without what it quotes, which may be what somebody said."""
    return _QUOTED.sub("…", message)


class KioskNews:
    """Makes the messages of one kiosk."""

    def __init__(self, topics: Topics, *, now: Callable[[], datetime], with_words: bool) -> None:
        """now: the time of day (UTC). with_words: transcripts and replies are published."""
        self._topics, self._now, self._with_words = topics, now, with_words
        self._view = TalkView()
        self._turn: Turn = "listening"
        self.is_muted = False
        """The microphone is not listened to."""
        self.volume = 100
        """Of the voice, percent."""

    @property
    def state(self) -> Message:
        """Whose turn it is now, and how the kiosk is set."""
        return self._topics.message(
            State(at=self._now(), state=self._turn, is_muted=self.is_muted, volume=self.volume)
        )

    def begin(self) -> None:
        """Another talk begins: nothing of the one before is told any more."""
        self._view, self._turn = TalkView(), "listening"

    def receive(self, event: SessionEvent) -> list[Message]:
        """What is published of it."""
        lines = self._view.receive(event)
        told = [] if not self._with_words else [line.text for line in lines if line.kind == "you"]
        messages = [self._topics.message(Transcript(at=self._now(), text=text)) for text in told]

        match event:
            case StateChanged():
                self._turn = event.state
                messages.append(self.state)
            case ErrorRaised():
                messages.append(self.trouble(unquoted(event.message)))
            case ReplyEnded() if self._with_words and event.heard:
                reply = Reply(at=self._now(), text=event.heard, is_cut=event.is_cut)
                messages.append(self._topics.message(reply))
            case _:
                pass

        return messages

    def trouble(self, message: str) -> Message:
        """Something failed in the kiosk."""
        error = Error(at=self._now(), error="trouble", message=message, command=None, id=None)
        return self._topics.message(error)

    def refusal(self, refused: Refused) -> Message:
        """A command was not done."""
        return self._topics.message(
            Error(
                at=self._now(),
                error=refused.error,
                message=refused.message,
                command=refused.command,
                id=refused.id,
            )
        )
