"""`atonce talk --log DIR`: keeps the sound and the events of a talk, to find out what went on.

    DIR/talk-2026-01-31-154500/talk.wav       what was heard (left) and played (right), 16 kHz
                              /events.jsonl   what happened, one event a line
                              /settings.yaml  what was in force

Rule 1. Off unless asked for; the folder is the user's alone: it holds what people said.
Rule 2. Files are written by a thread of their own. When the disk cannot follow, or is full, that is
        said once, and the talk goes on without a log.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
import wave
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO

import numpy as np

from atonce.agent.event_json import as_json
from atonce.agent.events import SessionEvent
from atonce.config.errors import AudioError
from atonce.speech.protocols import Audio, Samples
from atonce.speech.resample import StreamResampler

logger = logging.getLogger(__name__)

RATE_HZ = 16_000
"""What the engines hear."""
WAITING = 3_000
"""Pieces that may wait for the disk: a minute of sound."""
FLUSHED_S = 1.0
"""Sound is written a second at a time: whatever happens to the program, the file can be played."""

_Item = SessionEvent | tuple[Audio, Audio | None, float] | None


class TalkLog:
    """One talk's files; a context."""

    def __init__(self, folder: Path, *, settings: str, say: Callable[[str], None]) -> None:
        """folder: a new one that is made. say: told when the log ends before the talk does.

        AudioError where it cannot be written.
        """
        self.folder = folder
        self.is_deaf = False
        """The microphone is muted: of what it hears nothing is kept."""
        self._say = say
        self._items: queue.Queue[_Item] = queue.Queue(WAITING)
        self._is_given_up = False

        try:
            folder.mkdir(parents=True, mode=0o700)
            (folder / "settings.yaml").write_text(settings + "\n", encoding="utf-8")
            self._events = (folder / "events.jsonl").open("w", encoding="utf-8")
            self._sound = wave.open(str(folder / "talk.wav"), "wb")  # noqa: SIM115
        except OSError as error:
            raise AudioError(
                f"no log can be kept in {folder}: {error.strerror or error}; choose another folder "
                "behind --log"
            ) from error

        self._sound.setnchannels(2)
        self._sound.setsampwidth(2)
        self._sound.setframerate(RATE_HZ)
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)

    def __enter__(self) -> TalkLog:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._is_given_up:
            self._items.put(None)

        self._thread.join(5.0)

    def show(self, event: SessionEvent) -> None:
        """Keep an event."""
        self._keep(event)

    def hear(self, heard: Audio, played: Audio | None, at_s: float) -> None:
        """Keep sound; at_s: when its last sample was heard."""
        silence = Audio(np.zeros_like(heard.samples), heard.rate_hz)
        self._keep((silence if self.is_deaf else heard, played, at_s))

    def _keep(self, item: _Item) -> None:
        if self._is_given_up:
            return

        try:
            self._items.put_nowait(item)
        except queue.Full:
            self._give_up("the disk is too slow")

    def _give_up(self, why: str) -> None:
        self._is_given_up = True
        self._say(f"the log in {self.folder} ends here: {why}")

    # ---- in the log's own thread ----

    def _write(self) -> None:
        tracks = _Tracks(self._sound, self._events)

        with self._events, self._sound:
            try:
                while (item := self._items.get()) is not None and not self._is_given_up:
                    if isinstance(item, tuple):
                        tracks.put(*item)
                    else:
                        self._events.write(json.dumps(as_json(item), ensure_ascii=False) + "\n")

                tracks.flush()
                self._events.flush()
            except OSError as error:
                self._give_up(error.strerror or str(error))


class _Tracks:
    """Both sides of the talk, side by side."""

    def __init__(self, file: wave.Wave_write, events: IO[str]) -> None:
        self._file = file
        self._events = events
        self._sides = (_Side(), _Side())
        self._is_begun = False

    def put(self, heard: Audio, played: Audio | None, at_s: float) -> None:
        """The next stretch of sound."""
        if not self._is_begun:
            self._is_begun = True
            began = {"event": "log_began", "at_s": round(at_s - heard.seconds, 6)}
            self._events.write(json.dumps(began) + "\n")

        silence = np.zeros(len(heard.samples), dtype=np.float32)
        self._sides[0].put(heard)
        self._sides[1].put(played or Audio(silence, heard.rate_hz))

        if self._sides[0].waiting >= FLUSHED_S * RATE_HZ:
            self.flush()
            self._events.flush()

    def flush(self) -> None:
        """Write what both sides have."""
        count = min(side.waiting for side in self._sides)
        both = np.stack([side.take(count) for side in self._sides], axis=1)
        self._file.writeframes((np.clip(both, -1, 1) * 32_767).astype("<i2").tobytes())


class _Side:
    """One track, at one rate, whatever rate it comes in."""

    def __init__(self) -> None:
        self._rate_hz = 0
        self._resampler = StreamResampler(RATE_HZ, RATE_HZ)
        self._pieces: list[Samples] = []

    @property
    def waiting(self) -> int:
        """Samples that can be written."""
        return sum(map(len, self._pieces))

    def put(self, audio: Audio) -> None:
        if audio.rate_hz != self._rate_hz:
            self._rate_hz = audio.rate_hz
            self._resampler = StreamResampler(audio.rate_hz, RATE_HZ)

        self._pieces.append(self._resampler.push(audio.samples))

    def take(self, count: int) -> Samples:
        waiting = np.concatenate([np.zeros(0, dtype=np.float32), *self._pieces])
        self._pieces = [waiting[count:]]
        return waiting[:count]
