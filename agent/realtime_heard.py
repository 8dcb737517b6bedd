"""What is heard of the person, in the names of OpenAI's Realtime API (pure).

Rule 1. Each utterance is an item of its own; all messages about it carry its id.
Rule 2. `completed` comes once an item: when the endpoint has passed and the words up to it are
        known, in whichever order. An item that turned out to be no speech completes without words.
Rule 3. The endpoint of one utterance may come before its words, and the next one begin meanwhile:
        the words that are still owed come first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from atonce.agent import events as e

Message = dict[str, object]
Make = Callable[..., Message]
"""Makes a message of a name and what it tells."""
_SAME_PAUSE_S: Final = 0.05
"""Two ends of a voice are one where they differ by less."""


class HeardItems:
    """The utterances of one talk."""

    def __init__(self, make: Make, ms: Callable[[float], int]) -> None:
        """ms: a time of the session's clock as milliseconds of the talk."""
        self._make, self._ms = make, ms
        self._number = 0
        self._settled = ""  # what of this utterance was sent as final words
        self._paused_s: float | None = None  # the end of the last voice, where it paused
        self._words: str | None = None  # read at that pause
        self._is_open = False  # it began, and its endpoint has not passed
        self._owed: deque[str] = deque()  # items whose endpoint came before their words

    @property
    def item(self) -> str:
        """The id of the last utterance."""
        return f"item_{self._number}"

    def receive(self, event: e.SessionEvent) -> list[Message]:
        """An event as messages, in order; none where it is not about the person."""
        match event:
            case e.SpeechDetected():
                return self._begin(event)
            case e.SpeechPaused():
                self._paused_s, self._words = event.speech_end_s, None
                return []
            case e.SpeechStopped():
                return self._stop(event)
            case e.WordsHeard():
                return self._hear(event)
            case e.QuestionHeard():
                return [self._transcribed(self.item, "completed", transcript=event.text)]
            case _:
                return []

    def _begin(self, event: e.SpeechDetected) -> list[Message]:
        self._number += 1
        self._settled, self._words, self._paused_s, self._is_open = "", None, None, True
        start_ms = self._ms(event.from_s)
        name = "input_audio_buffer.speech_started"
        return [self._make(name, audio_start_ms=start_ms, item_id=self.item)]

    def _stop(self, event: e.SpeechStopped) -> list[Message]:
        name, end_ms = "input_audio_buffer.speech_stopped", self._ms(event.speech_end_s)
        told = [self._make(name, audio_end_ms=end_ms, item_id=self.item)]

        if not self._is_open:
            return told

        self._is_open = False
        paused_s = event.speech_end_s if self._paused_s is None else self._paused_s

        if self._words is None or abs(paused_s - event.speech_end_s) > _SAME_PAUSE_S:
            self._owed.append(self.item)
        else:
            told.append(self._transcribed(self.item, "completed", transcript=self._words))

        return told

    def _hear(self, event: e.WordsHeard) -> list[Message]:
        """Theirs has only words that stay; a page shows those that may change, too."""
        item = self._owed[0] if self._owed else self.item
        told = [self._make("atonce.words", item_id=item, text=event.text, settled=event.settled)]
        settled = " ".join(event.text.split()[: event.settled])

        if item == self.item:
            if settled.startswith(self._settled) and len(settled) > len(self._settled):
                delta = settled[len(self._settled) :]
                told.append(self._transcribed(item, "delta", delta=delta))
                self._settled = settled

            self._words = event.text if event.is_final else self._words

        if event.is_final and self._owed:
            self._owed.popleft()
            told.append(self._transcribed(item, "completed", transcript=event.text))

        return told

    def _transcribed(self, item: str, what: str, **said: str) -> Message:
        name = f"conversation.item.input_audio_transcription.{what}"
        return self._make(name, item_id=item, content_index=0, **said)
