"""When a talk is so long over that the next person must not meet it. Pure.

Rule 1. What counts is words: a person's, or the agent's reply. Noise does not, and neither does the
        agent's question whether somebody is there.
Rule 2. Nothing is forgotten while somebody speaks; each talk is forgotten once.
"""

from __future__ import annotations

from atonce.agent.events import (
    FirstAudio,
    ReplyEnded,
    SentenceSaid,
    SessionEvent,
    StateChanged,
    WordsHeard,
)


class Calm:
    """Watches one kiosk."""

    def __init__(self, after_s: float) -> None:
        """after_s: so much silence ends a talk (kiosk.clear_after_s)."""
        self._after_s = after_s
        self._lively_s: float | None = None  # None: there is nothing to forget
        self._is_listening = True
        self._is_prompt = False

    @property
    def due_s(self) -> float | None:
        """When the talk is to be forgotten, on the session's clock; None: not as it is now."""
        if self._lively_s is None or not self._is_listening:
            return None

        return self._lively_s + self._after_s

    @property
    def is_deserted(self) -> bool:
        """Nobody has spoken since the last talk was forgotten."""
        return self._lively_s is None

    def receive(self, event: SessionEvent) -> None:
        """What happened next."""
        match event:
            case StateChanged():
                self._is_listening = event.state == "listening"
            case SentenceSaid():
                self._is_prompt = event.kind == "silence"
            case WordsHeard() if event.text.strip():
                self.touch(event.at_s)
            case FirstAudio() if not self._is_prompt:
                self.touch(event.at_s)
            case ReplyEnded():
                if not self._is_prompt:
                    self.touch(event.at_s)

                self._is_prompt = False
            case _:
                pass

    def touch(self, at_s: float) -> None:
        """Somebody did something."""
        self._lively_s = at_s

    def settle(self) -> None:
        """All is forgotten."""
        self._lively_s = None
