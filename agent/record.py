"""`atonce record FILE`: record one question; it ends with the question, or with Ctrl-C.

Rule 1. The file begins shortly before the first word and ends shortly after the last one. Stopped
        by hand, it ends there; where nobody spoke, it holds all that was recorded.
Rule 2. It is written in the rate of the microphone, and appears whole or not at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.live import Live

from atonce.agent.events import ErrorRaised, SessionEvent
from atonce.agent.microphone import Microphone
from atonce.agent.native_noise import caught
from atonce.agent.portaudio import PortAudio
from atonce.agent.stopping import end, stoppable
from atonce.agent.talk_screen import meter
from atonce.config import registry
from atonce.config.errors import AtonceError, AudioError
from atonce.config.load import load
from atonce.config.schema import Settings
from atonce.speech import audio_file
from atonce.speech.endpoint import EndpointRules, SpeechEnded, SpeechStarted
from atonce.speech.listener import Listener
from atonce.speech.protocols import Audio, Samples

LONGEST_S = 60.0
"""One question is never longer."""
TAIL_S = 0.3
"""Kept after the last word: the endpoint of whoever hears the file needs some."""
PATIENT_S = 1.5
"""Silence that ends a question: nobody reads its words here, so a pause for thought must not."""


def run(file: Path, *, seconds: float | None, config: Path | None, overrides: Sequence[str]) -> int:
    """Record into a file; the exit code."""
    audio_file.check_writable(file)
    settings = load(config, overrides).settings
    recorder = _Recorder(settings, seconds)

    fault: AtonceError | None = None

    try:
        with caught():
            sound = asyncio.run(recorder.record())

        if sound is None:
            raise AudioError(
                f"nothing but silence came, so {file} was not written: is the microphone muted?"
            )

        audio_file.write(sound, file)
        sys.stdout.write(f"sound  {file} ({sound.seconds:.1f} s)\n")
    except AtonceError as error:
        fault = error

    end(fault, is_hanging=recorder.is_hanging)
    return 0


class _Recorder:
    """Records one question."""

    def __init__(self, settings: Settings, seconds: float | None) -> None:
        self._settings = settings
        self._seconds = seconds
        section = settings.voice_detector
        rules = EndpointRules.from_settings(settings.endpoint)
        patient = replace(rules, complete_s=PATIENT_S, unsure_s=PATIENT_S, incomplete_s=PATIENT_S)
        detector = registry.find("voice_detector", section.engine).from_settings(section)
        self._listener = Listener(detector, replace(patient, longest_s=LONGEST_S))
        self._console = Console(stderr=True, highlight=False)
        self._pieces: list[Samples] = []
        self._rate_hz = 0
        self._span: tuple[float, float | None] | None = None
        self._microphone: Microphone | None = None

    @property
    def is_hanging(self) -> bool:
        """The sound system does not give the microphone back."""
        return self._microphone is not None and self._microphone.is_hanging

    async def record(self) -> Audio | None:
        """The question; None where nothing came."""
        clock = asyncio.get_running_loop().time
        microphone = self._microphone = Microphone(
            lambda: PortAudio(clock),
            show=self._show,
            clock=clock,
            microphone=self._settings.microphone.input,
            plays=False,
        )

        with contextlib.suppress(asyncio.CancelledError), stoppable():
            async with microphone:
                self._console.print(
                    f"atonce: recording from {microphone.names[0]}; speak, then be silent "
                    "(Ctrl-C stops it)",
                    markup=False,
                    soft_wrap=True,
                )
                await self._listen(microphone)

        return self._sound()

    async def _listen(self, microphone: Microphone) -> None:
        with Live(console=self._console, transient=True, auto_refresh=False) as live:
            async for frame in microphone.listen():
                self._rate_hz = frame.heard.rate_hz
                self._pieces.append(frame.heard.samples)

                if self._hear(frame.heard):
                    return

                if len(self._pieces) % 5 == 0 and self._console.is_terminal:
                    live.update(
                        meter(self._listener.level_db, self._listener.floor_db), refresh=True
                    )

    def _hear(self, heard: Audio) -> bool:
        """Whether that was all."""
        for event in self._listener.hear(heard):
            match event:
                case SpeechStarted() if self._span is None:
                    self._span = (event.from_s, None)
                case SpeechEnded() if self._span is not None:
                    self._span = (self._span[0], event.speech_end_s)
                case _:
                    pass

        recorded_s = len(self._pieces) * heard.seconds
        if self._seconds is not None:
            return recorded_s >= self._seconds

        is_over = self._span is not None and self._span[1] is not None
        return is_over or recorded_s >= LONGEST_S

    def _sound(self) -> Audio | None:
        if not self._pieces:
            return None

        samples = np.concatenate(self._pieces)
        begin_s, end_s = self._span or (0.0, None)

        if self._seconds is not None:
            begin_s, end_s = 0.0, None

        last = len(samples) if end_s is None else round((end_s + TAIL_S) * self._rate_hz)
        kept = samples[round(begin_s * self._rate_hz) : last]
        return Audio(kept, self._rate_hz) if kept.any() else None

    def _show(self, event: SessionEvent) -> None:
        if isinstance(event, ErrorRaised):
            self._console.print(f"atonce: {event.message}", markup=False, soft_wrap=True)
