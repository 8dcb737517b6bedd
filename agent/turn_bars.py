"""Where the time of one turn went, as bars on one axis (pure).

Rule 1. Zero is the end of the person's last word; an early draft may lie before it.
Rule 2. A bar ends when what it names was there, and begins when that could begin: what was ready
        before is not waited for again. So bars may overlap, and none is longer than it took.
Rule 3. A reply that is begun anew replaces the bars of the one before.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from atonce.agent.events import (
    DraftMade,
    FirstAudio,
    PromptRead,
    ReplyChecked,
    ReplyStarted,
    ReplyWaits,
    SessionEvent,
    SpeechPaused,
    SpeechStopped,
    WordsHeard,
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One stretch of the turn."""

    name: str
    """What happened."""
    start_ms: int
    """Since the end of the last word."""
    end_ms: int
    """The same."""


@dataclass(slots=True)
class TurnBars:
    """Collects what happens until the reply is audible."""

    _zero_s: float | None = None
    _heard_s: float | None = None
    _endpoint_s: float | None = None
    _started_s: float | None = None
    _ready_s: float | None = None
    _stretches: list[tuple[str, float, float]] = field(default_factory=list)

    def receive(self, event: SessionEvent) -> tuple[Bar, ...] | None:
        """The bars of the turn, once, when its first sound is audible; None before and after."""
        self._of_person(event)
        self._of_reply(event)
        return self._bars(event.at_s) if isinstance(event, FirstAudio) else None

    def _of_person(self, event: SessionEvent) -> None:
        match event:
            case SpeechPaused():
                self._zero_s, self._heard_s, self._endpoint_s = event.speech_end_s, None, None
            case SpeechStopped():
                self._zero_s, self._endpoint_s = event.speech_end_s, event.at_s
            case WordsHeard(is_final=True) if self._heard_s is None:
                self._heard_s = event.at_s
            case _:
                pass

    def _of_reply(self, event: SessionEvent) -> None:
        match event:
            case ReplyStarted():
                self._started_s, self._ready_s = event.at_s, None
                self._stretches.clear()
            case PromptRead():
                self._stretch("prompt read", event.at_s)
            case DraftMade():
                what = f"repair {event.repair}, step" if event.repair else "step"
                self._stretch(f"{what} {event.draft.step}", event.at_s)
            case ReplyChecked():
                self._stretch("check", event.at_s)
            case ReplyWaits():
                self._ready_s = event.at_s
                self._stretch("voice", event.at_s)
            case _:
                pass

    def _stretch(self, name: str, end_s: float) -> None:
        """What ended now; it began when what precedes it ended."""
        start_s = self._stretches[-1][2] if self._stretches else self._started_s
        self._stretches.append((name, end_s if start_s is None else start_s, end_s))

    def _bars(self, audible_s: float) -> tuple[Bar, ...] | None:
        if self._started_s is None:
            return None

        zero_s = self._started_s if self._zero_s is None else self._zero_s
        stretches = list(self._stretches)

        if self._heard_s is not None:
            stretches.insert(0, ("transcript", zero_s, self._heard_s))

        if self._endpoint_s is not None:
            stretches.append(("endpoint", zero_s, self._endpoint_s))

        # A ready reply is held until the endpoint; only then is it on its way to the loudspeaker.
        gone_s = max(self._ready_s or audible_s, self._endpoint_s or self._started_s)
        stretches.append(("on its way", min(gone_s, audible_s), audible_s))
        self._started_s, self._zero_s = None, None
        return tuple(
            Bar(name, round(1000 * (start_s - zero_s)), round(1000 * (end_s - zero_s)))
            for name, start_s, end_s in stretches
        )
