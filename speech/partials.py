"""An utterance's words while it is still being spoken: when to look, and what has settled. Pure.

Rule 1. A transcript is due at every pause, and about each second while speech goes on, for the
        first time before most questions can be over: the last one must not find another in its way.
Rule 2. The last one that was due before the endpoint covers all the speech there is: it is final.
Rule 3. Words on which two transcripts in a row agree have settled: later partial ones keep them.
        The final transcript is free to correct them.
Rule 4. A long utterance is read in parts, cut at its pauses: what was read up to a pause stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from atonce.speech.endpoint import (
    SpeechEnded,
    SpeechEvent,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
)

EVERY_S = 1.0
"""Between two partial transcripts of speech that goes on."""
FIRST_S = 0.6
"""From the first voice to the first of them: short questions last 1.0 to 1.6 s, and a decode that
begins in their last 0.3 s made the final transcript 65 ms later."""
PART_S = 9.0
"""Sound after which an utterance is cut at its next pause: more makes every decode longer."""
_AFTER_PAUSE_S = 0.1
"""Of a pause, what belongs to the part before it."""


@dataclass(frozen=True, slots=True)
class TranscriptDue:
    """It is time to read the sound from one moment to another."""

    at_s: float
    """Seconds of sound when it became due; the sound to read ends here."""
    from_s: float
    """Where the sound to read begins."""
    speech_end_s: float
    """The end of the last voice in it."""
    is_pause: bool
    """Nobody speaks now: unless speech goes on, this transcript is the final one."""
    before: str = ""
    """Words of the same utterance that were read in earlier parts."""


@dataclass(frozen=True, slots=True)
class WordsHeard:
    """What somebody has said so far in this utterance."""

    text: str
    """All of it, from its beginning."""
    settled: int
    """How many of its first words no later partial transcript will change."""
    is_pause: bool
    """Nobody speaks now: unless speech goes on, this is all of it."""


@dataclass(slots=True)
class _Utterance:
    """The one that is being spoken."""

    from_s: float
    """Where its unread part begins."""
    last_due_s: float
    due: TranscriptDue | None = None
    parts: list[str] = field(default_factory=list)
    """Words of the parts that stay."""
    words: list[str] = field(default_factory=list)
    """Words of the part that is being read, by its last transcript."""
    settled: list[str] = field(default_factory=list)
    """Its first words, settled."""
    read: TranscriptDue | None = None
    """What the last transcript was for."""


class Dictation:
    """The words of a stream, one utterance after the other."""

    def __init__(self, *, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._utterance: _Utterance | None = None

    def follow(
        self, events: Iterable[SpeechEvent], now_s: float, *, is_voiced: bool
    ) -> TranscriptDue | None:
        """What is due after these events, or at a moment without one.

        Not at the first moment without a voice: a decode that starts there is in the way of the
        final one, should this be the end.
        """
        due = None

        for event in events:
            due = self._take(event) or due

        running = self._utterance

        if due is not None or running is None or not is_voiced:
            return due

        is_time = now_s - running.last_due_s >= self._every_s
        return _due(running, now_s, now_s, is_pause=False) if is_time else None

    def receive(self, due: TranscriptDue, text: str) -> WordsHeard:
        """A transcript is there; the words of the whole utterance so far."""
        words = text.split()
        running = self._utterance

        if running is None or due.from_s != running.from_s:
            # The utterance is over, or is being read from a later moment on.
            known = [*due.before.split(), *words]
            return WordsHeard(" ".join(known), len(known) if due.is_pause else 0, due.is_pause)

        if words or due.is_pause:
            agreed = _agreed(running.words, words)
            running.settled += words[len(running.settled) : agreed]
            running.words, running.read = words, due
        else:
            words = running.words  # a quick look that found nothing sure takes nothing back

        stay = [] if due.is_pause else running.settled
        shown = [*running.parts, *stay, *words[len(stay) :]]
        settled = len(shown) if due.is_pause else len(running.parts) + len(running.settled)
        return WordsHeard(" ".join(shown), settled, due.is_pause)

    def _take(self, event: SpeechEvent) -> TranscriptDue | None:
        running = self._utterance

        match event:
            case SpeechStarted():
                before_s = max(0.0, self._every_s - FIRST_S)
                self._utterance = _Utterance(event.from_s, event.at_s - before_s)
            case SpeechResumed() if running is not None:
                _cut(running, event.at_s)
            case SpeechPaused() if running is not None:
                return _due(running, event.at_s, event.speech_end_s, is_pause=True)
            case SpeechEnded() if running is not None:
                return self._close(running, event)
            case _:
                pass

        return None

    def _close(self, running: _Utterance, ended: SpeechEnded) -> TranscriptDue | None:
        due, self._utterance = running.due, None

        if due is not None and due.is_pause and due.speech_end_s == ended.speech_end_s:
            return None

        return _due(running, ended.at_s, ended.speech_end_s, is_pause=True)


def _due(
    running: _Utterance, now_s: float, speech_end_s: float, *, is_pause: bool
) -> TranscriptDue:
    running.last_due_s = now_s
    before = " ".join(running.parts)
    running.due = TranscriptDue(now_s, running.from_s, speech_end_s, is_pause, before)
    return running.due


def _cut(running: _Utterance, now_s: float) -> None:
    """Rule 4, once a pause is over and its transcript was there in time."""
    read = running.read

    if read is None or read is not running.due or not read.is_pause:
        return

    if now_s - running.from_s < PART_S:
        return

    running.parts += running.words
    running.words, running.settled, running.read = [], [], None
    running.from_s = read.speech_end_s + _AFTER_PAUSE_S


def _agreed(before: list[str], now: list[str]) -> int:
    """How many first words are the same in both, marks and capitals aside."""
    count = 0

    for one, other in zip(before, now, strict=False):
        if _plain(one) != _plain(other):
            break

        count += 1

    return count


def _plain(word: str) -> str:
    return re.sub(r"\W", "", word.lower())
