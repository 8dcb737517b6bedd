"""What the browser adds: first audio in Chromium beside the same session without a network.

    scripts/bench_browser [--questions 20] [--out docs/bench-browser.json]

Both ways use the same engines in the same process, and take turns in blocks of five questions:
  direct    frames go straight into the session and out of its playback, on the loop's clock: what
            `atonce rehearse` does
  browser   a page in headless Chromium; the question is played into its WebRTC track, and the
            reply is taken from its <audio> element's stream, both on the page's audio clock

First audio: from the last audible sample of the question to the first one of the reply. What the
browser's microphone and loudspeaker hardware would add is in neither. Also measured: when the page
can be used, and the event loop's lag during the talks.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
import uvicorn
from chromium import MICROPHONE, Chromium, Tab

from atonce.agent import engines as engines_of
from atonce.agent.engines import Engines
from atonce.agent.events import LoopMeasured, SessionEvent, StateChanged
from atonce.agent.playback import Playback
from atonce.agent.realtime_events import Opening
from atonce.agent.serve_access import Access
from atonce.agent.serve_app import Page, app
from atonce.agent.serve_talk import OneTalk
from atonce.agent.session import Session
from atonce.agent.transport import FRAME_S, Frame
from atonce.agent.webrtc import Limits, WebRtc
from atonce.config.load import load
from atonce.config.schema import Settings
from atonce.speech.protocols import Audio
from atonce.speech.resample import resample

RATE_HZ = 16_000
AUDIBLE = 0.01
BLOCK = 5
TURN_S = 60.0
QUESTIONS = (
    "How much is a ticket for an adult?",
    "When do you open on Sunday?",
    "Is there somewhere to eat?",
    "Where can I park my car?",
    "Do children pay less?",
)

# Plays a question into the talk and finds the first sample of the reply, on one audio clock.
EARS = """(() => {
  window.listen = () => {
    const source = context.createMediaStreamSource(document.querySelector("#voice").srcObject);
    const ear = context.createScriptProcessor(256, 1, 1);
    ear.onaudioprocess = ({ inputBuffer, playbackTime }) => {
      if (!window.after || window.heard) return;
      const at = inputBuffer.getChannelData(0).findIndex((sample) => Math.abs(sample) > AUDIBLE);
      const seconds = playbackTime + at / 48000 - 256 / 48000;
      if (at >= 0 && seconds > window.after) window.heard = seconds;
    };
    source.connect(ear).connect(context.destination);
    window.kept = [source, ear]; // or they are collected as garbage
  };
  window.ask = async (wav, end) => {
    const source = await window.loaded(wav);
    const start = context.currentTime + 0.1;
    window.heard = 0;
    window.after = start + end;
    source.start(start);
  };
  window.waited = () => 1000 * (window.heard - window.after);
})()""".replace("AUDIBLE", str(AUDIBLE))


@dataclass
class Found:
    """What was measured."""

    direct_ms: list[float] = field(default_factory=list)
    browser_ms: list[float] = field(default_factory=list)
    lag_p99_ms: list[float] = field(default_factory=list)
    interactive_ms: list[float] = field(default_factory=list)


class Direct:
    """A transport without a network: frames on the loop's clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.playback = Playback(RATE_HZ)
        self.state = ""
        self.heard_s: float | None = None
        self.is_over = False
        self._clock = clock
        self._waiting = np.zeros(0, np.float32)
        self._end = 0  # samples from here to the end of the question
        self.ended_s: float | None = None

    def ask(self, question: Audio, end_s: float) -> None:
        """Play a question into the session; `end_s`: its last audible sample."""
        self._waiting, self._end = question.samples, round(end_s * RATE_HZ)
        self.heard_s = self.ended_s = None

    async def listen(self) -> AsyncIterator[Frame]:
        """20 ms every 20 ms, until it is over."""
        size = round(FRAME_S * RATE_HZ)
        due_s = self._clock()

        while not self.is_over:
            due_s += FRAME_S
            await asyncio.sleep(max(0.0, due_s - self._clock()))
            self._hear(self.playback.take(size, due_s), due_s)
            piece, self._waiting = self._waiting[:size], self._waiting[size:]
            if 0 < self._end <= size:
                self.ended_s = due_s - FRAME_S + self._end / RATE_HZ

            self._end -= size
            yield Frame(Audio(np.pad(piece, (0, size - len(piece))), RATE_HZ), None, due_s)

    def _hear(self, samples: np.ndarray, at_s: float) -> None:
        loud = np.flatnonzero(np.abs(samples) > AUDIBLE)
        if len(loud) and self.heard_s is None and self.ended_s is not None:
            self.heard_s = at_s + loud[0] / RATE_HZ

    def publish(self, event: SessionEvent) -> None:
        """Keep the state."""
        if isinstance(event, StateChanged):
            self.state = event.state


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that has no event."""
    async with asyncio.timeout(TURN_S):
        while not condition():  # noqa: ASYNC110  # two of the three are in another thread
            await asyncio.sleep(0.02)


async def direct(settings: Settings, engines: Engines, sounds: list[Audio], found: Found) -> None:
    """One talk without a network."""
    clock = asyncio.get_running_loop().time
    line = Direct(clock)
    session = Session(settings, engines, line, clock=clock)

    async with asyncio.TaskGroup() as group:
        group.create_task(session.run())
        await until(lambda: line.state in ("", "listening"))

        for sound in sounds:
            await asyncio.sleep(1.0)
            line.ask(sound, last_audible_s(sound))
            await until(lambda: line.heard_s is not None)
            assert line.heard_s is not None
            assert line.ended_s is not None
            found.direct_ms.append(1000 * (line.heard_s - line.ended_s))
            await until(lambda: line.state == "listening")

        line.is_over = True


def browse(address: str, sounds: list[Audio], found: Found) -> None:
    """One talk through Chromium; blocking."""
    with Chromium(flags=("--use-fake-ui-for-media-stream",)) as browser:
        tab = browser.open(address)
        tab.wait("!document.querySelector('#talk').disabled")
        timing = "performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd"
        found.interactive_ms.append(float(tab.evaluate(timing)))
        tab.evaluate(MICROPHONE)
        tab.evaluate(EARS)
        tab.click("#talk")
        tab.wait("!!document.querySelector('#voice').srcObject")
        tab.evaluate("listen()")
        time.sleep(2.0)  # the browser's jitter buffer settles

        for sound in sounds:
            found.browser_ms.append(ask_in(tab, sound))


def ask_in(tab: Tab, sound: Audio) -> float:
    """Milliseconds until the reply is heard in the page."""
    time.sleep(1.0)
    wav = io.BytesIO()
    soundfile.write(wav, sound.samples, sound.rate_hz, format="WAV")
    told = base64.b64encode(wav.getvalue()).decode()
    tab.evaluate(f"ask('{told}', {last_audible_s(sound)})")
    tab.wait("window.heard > 0", seconds=TURN_S)
    waited = float(tab.evaluate("waited()"))
    tab.wait("document.body.dataset.state === 'listening'", seconds=TURN_S)
    return waited


def last_audible_s(sound: Audio) -> float:
    """Where the question ends."""
    return float(np.flatnonzero(np.abs(sound.samples) > AUDIBLE)[-1] + 1) / sound.rate_hz


async def spoken(engines: Engines, count: int) -> list[Audio]:
    """The questions, in the agent's own voice."""

    def speak(text: str) -> Audio:
        pieces = [piece.samples for piece in engines.synthesizer.synthesize(text)]
        return resample(Audio(np.concatenate(pieces), engines.synthesizer.rate_hz), RATE_HZ)

    texts = [QUESTIONS[n % len(QUESTIONS)] for n in range(count)]
    return [await engines.speaking.run(lambda text=text: speak(text)) for text in texts]  # type: ignore[misc]


async def measure(count: int) -> Found:
    """Both ways, in turns."""
    settings = load(None, ()).settings
    engines = await engines_of.load(settings)
    sounds, found = await spoken(engines, count), Found()
    loop = asyncio.get_running_loop()
    llm, limits = settings.llm, Limits((), 10.0, settings.serve.close_after_s)

    def connect(call: str) -> WebRtc:
        opening = Opening(
            call, llm.engine, llm.steps, llm.min_steps, llm.max_steps, is_watched=True
        )
        return WebRtc(opening, limits, clock=loop.time)

    def note(event: SessionEvent) -> None:
        if isinstance(event, LoopMeasured):
            found.lag_p99_ms.append(event.lag_p99_ms)

    async with asyncio.TaskGroup() as group:
        talks = OneTalk(
            connect,
            lambda it: Session(settings, engines, it, clock=loop.time, observers=(note,)),
            group,
            clock=loop.time,
        )
        talks.is_ready = True
        page = Page((), 10.0, needs_token=False)
        config = uvicorn.Config(
            app(talks, Access(is_local=True), page), port=0, lifespan="off", log_config=None
        )
        server = uvicorn.Server(config)
        listener = config.bind_socket()
        serving = group.create_task(server.serve(sockets=[listener]))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}/"

        for first in range(0, count, BLOCK):
            block = sounds[first : first + BLOCK]
            await direct(settings, engines, block, found)
            await asyncio.to_thread(browse, address, block, found)
            await until(lambda: not talks.is_busy)

        server.should_exit = True
        await serving

    return found


def main() -> int:
    """Measures, and prints or writes the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--questions", type=int, default=20)
    parser.add_argument("--out", type=Path, help="a file for the figures (JSON)")
    arguments = parser.parse_args()
    found = asyncio.run(measure(arguments.questions))
    direct_ms, browser_ms = map(statistics.median, (found.direct_ms, found.browser_ms))
    figures = {
        "questions": arguments.questions,
        "first_audio_direct_ms": round(direct_ms),
        "first_audio_browser_ms": round(browser_ms),
        "browser_adds_ms": round(browser_ms - direct_ms),
        "page_interactive_ms": round(max(found.interactive_ms)),
        "loop_lag_p99_ms": round(max(found.lag_p99_ms, default=0.0), 1),
        "direct_ms": [round(ms) for ms in found.direct_ms],
        "browser_ms": [round(ms) for ms in found.browser_ms],
    }
    text = json.dumps(figures, indent=1)
    print(text)

    if arguments.out:
        arguments.out.write_text(text + "\n", "utf-8")

    return 0


if __name__ == "__main__":
    sys.exit(main())
