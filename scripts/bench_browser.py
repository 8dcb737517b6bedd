"""What the browser adds: first audio in Chromium beside a rehearsal with the same engines.

    scripts/bench_browser [--questions 20] [--out docs/bench-browser.json]

Two ways through the same engines in the same process, in turns, in blocks of five questions; the
same recordings of the same questions, in another voice than the agent's:
  rehearse  the scripted caller of `atonce rehearse`, in real time, over no network
  browser   a page in headless Chromium; the question is played into its WebRTC track, and the
            reply is taken from its <audio> element's stream, both on the page's audio clock

First audio: from the last audible sample of the question to the first one of the reply. What the
browser's microphone and loudspeaker hardware would add is in neither. Also measured: when the page
can be used, and the event loop's lag during the talks. Exit code 0: all three goals are reached;
1: one is missed. Twenty questions take about 6 minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
import uvicorn
import yaml
from chromium import MICROPHONE, Chromium, Tab

from atonce.agent import engines as engines_of
from atonce.agent import talk_script
from atonce.agent.caller import Caller, Line
from atonce.agent.engines import Engines
from atonce.agent.events import LoopMeasured, SessionEvent
from atonce.agent.realtime_events import Opening
from atonce.agent.rehearsal import lines_of, settings_of
from atonce.agent.serve_access import Access
from atonce.agent.serve_app import Page, app
from atonce.agent.serve_talk import OneTalk
from atonce.agent.session import Session
from atonce.agent.talk_script import Talk
from atonce.agent.webrtc import Limits, WebRtc
from atonce.config.schema import Settings
from atonce.speech.protocols import Audio

RATE_HZ = 24_000
AUDIBLE = 0.01
MOST_ADDED_MS = 150
MOST_INTERACTIVE_MS = 1000
MOST_LAG_MS = 20
BLOCK = 5
TURN_S = 60.0
QUESTIONS = (
    "How much is a ticket for an adult?",
    "When do you open on Sunday?",
    "Is there somewhere to eat?",
    "Where can I park my car?",
    "Do children pay less?",
    "When does the guided tour start?",
    "On which floor is the cafe?",
    "May I take photographs here?",
    "Where is the pottery workshop?",
    "Are assistance dogs allowed?",
)

# Plays a question into the talk and finds the first sample of the reply, on one audio clock. The
# ear lies in the audio thread: it knows its time to the sample, and the page has nothing to do.
EAR = """
registerProcessor("ear", class extends AudioWorkletProcessor {
  constructor() {
    super();
    this.after = Infinity;
    this.port.onmessage = ({ data }) => (this.after = data);
  }
  process([[samples]]) {
    if (!samples || currentTime < this.after) return true;
    const at = samples.findIndex((sample) => Math.abs(sample) > AUDIBLE);
    if (at >= 0) {
      this.port.postMessage(currentTime + at / sampleRate);
      this.after = Infinity;
    }
    return true;
  }
});
""".replace("AUDIBLE", str(AUDIBLE))
EARS = f"""(() => {{
  window.listen = async () => {{
    const code = new Blob([{json.dumps(EAR)}], {{ type: "text/javascript" }});
    await context.audioWorklet.addModule(URL.createObjectURL(code));
    const source = context.createMediaStreamSource(document.querySelector("#voice").srcObject);
    window.ear = new AudioWorkletNode(context, "ear");
    source.connect(ear).connect(context.destination);
    window.kept = source; // or it is collected as garbage
  }};
  window.ask = async (wav, end) => {{
    const source = await window.loaded(wav);
    const start = context.currentTime + 0.1;
    const heard = new Promise((resolve) => (ear.port.onmessage = ({{ data }}) => resolve(data)));
    ear.port.postMessage(start + end);
    source.start(start);
    return 1000 * (await heard - start - end);
  }};
}})()"""


@dataclass
class Found:
    """What was measured."""

    rehearse_ms: list[float] = field(default_factory=list)
    browser_ms: list[float] = field(default_factory=list)
    lag_p99_ms: list[float] = field(default_factory=list)
    interactive_ms: list[float] = field(default_factory=list)


async def until(condition: Callable[[], object]) -> None:
    """Wait for something that has no event."""
    async with asyncio.timeout(TURN_S):
        while not condition():  # noqa: ASYNC110  # two of the three are in another thread
            await asyncio.sleep(0.02)


def script(questions: list[str]) -> Talk:
    """A rehearsal in which these are asked, in a still room."""
    place = {"after": "agent_ends", "wait_s": 1.2}
    told = {
        "engines": "real",
        "clock": "real",
        "at_most_s": TURN_S * len(questions),
        "room": {"rate_hz": RATE_HZ},
        "settings": {"turn": {"silence_prompt_s": 0}},
        "caller": [
            {"say": question, **(place if number else {"at_s": 2.0})}
            for number, question in enumerate(questions)
        ],
    }

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "questions.yaml"
        file.write_text(yaml.safe_dump(told), encoding="utf-8")
        return talk_script.read(file)


async def rehearsed(settings: Settings, engines: Engines, lines: list[Line], talk: Talk) -> Caller:
    """One talk with the scripted caller."""
    clock = asyncio.get_running_loop().time
    caller = Caller(lines, talk.head, clock=clock)
    await Session(settings, engines, caller, clock=clock).run()
    return caller


def waits_ms(caller: Caller) -> list[float]:
    """From each line's last audible sample to the agent's first one behind it."""
    loud_s = np.flatnonzero(np.abs(np.concatenate(caller.tracks.played)) > AUDIBLE) / RATE_HZ
    lines = caller.said
    ends_s = [line.end_s for line in lines]
    nexts_s = [*(line.begin_s for line in lines[1:]), np.inf]
    found = [
        loud_s[(loud_s > end_s) & (loud_s < next_s)]
        for end_s, next_s in zip(ends_s, nexts_s, strict=True)
    ]
    return [1000 * (at[0] - end_s) for at, end_s in zip(found, ends_s, strict=True) if len(at)]


def browse(address: str, sounds: list[Audio], found: Found) -> None:
    """One talk through Chromium; blocking."""
    with Chromium(flags=("--use-fake-ui-for-media-stream",)) as browser:
        tab = browser.open("about:blank")
        tab.ask("Page.setBypassCSP", enabled=True)  # the ear is no file of the page
        tab.ask("Page.navigate", url=address)
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
    waited = float(tab.evaluate(f"ask('{told}', {last_audible_s(sound)})"))
    tab.wait("document.body.dataset.state === 'listening'", seconds=TURN_S)
    return waited


def last_audible_s(sound: Audio) -> float:
    """Where the question ends."""
    return float(np.flatnonzero(np.abs(sound.samples) > AUDIBLE)[-1] + 1) / sound.rate_hz


async def measure(count: int) -> Found:
    """Both ways, in turns."""
    asked = [QUESTIONS[n % len(QUESTIONS)] for n in range(count)]
    blocks = [script(asked[first : first + BLOCK]) for first in range(0, count, BLOCK)]
    settings = settings_of(blocks[0]).settings
    engines = await engines_of.load(settings)
    found = Found()
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

        for number, talk in enumerate(blocks, 1):
            say(f"block {number} of {len(blocks)}: rehearse")
            lines = await asyncio.to_thread(lambda it=talk: [*lines_of(it, settings, say)])
            found.rehearse_ms += waits_ms(await rehearsed(settings, engines, lines, talk))
            say(f"block {number} of {len(blocks)}: browser")
            await asyncio.to_thread(browse, address, [line.audio for line in lines], found)
            await until(lambda: not talks.is_busy)

        server.should_exit = True
        await serving

    return found


def figures_of(found: Found, count: int) -> dict[str, object]:
    """What was measured against the goals; `is_reached` where there are all replies to say so."""
    rehearse_ms, browser_ms = map(statistics.median, (found.rehearse_ms, found.browser_ms))
    added_ms = browser_ms - rehearse_ms
    interactive_ms, lag_ms = max(found.interactive_ms), max(found.lag_p99_ms, default=np.nan)
    is_whole = len(found.rehearse_ms) == len(found.browser_ms) == count
    return {
        "load": round(os.getloadavg()[0], 1),
        "questions": count,
        "answered": {"rehearse": len(found.rehearse_ms), "browser": len(found.browser_ms)},
        "first_audio_rehearse_ms": round(rehearse_ms),
        "first_audio_browser_ms": round(browser_ms),
        "goals": {
            f"browser_adds_ms <= {MOST_ADDED_MS}": [
                round(added_ms),
                verdict(added_ms <= MOST_ADDED_MS),
            ],
            f"page_interactive_ms < {MOST_INTERACTIVE_MS}": [
                round(interactive_ms),
                verdict(interactive_ms < MOST_INTERACTIVE_MS),
            ],
            f"loop_lag_p99_ms <= {MOST_LAG_MS}": [round(lag_ms, 1), verdict(lag_ms <= MOST_LAG_MS)],
        },
        "is_reached": bool(
            is_whole
            and added_ms <= MOST_ADDED_MS
            and interactive_ms < MOST_INTERACTIVE_MS
            and lag_ms <= MOST_LAG_MS
        ),
        "rehearse_ms": [round(ms) for ms in found.rehearse_ms],
        "browser_ms": [round(ms) for ms in found.browser_ms],
        "lag_p99_ms": [round(ms, 1) for ms in found.lag_p99_ms],
    }


def verdict(is_reached: object) -> str:
    """In a word."""
    return "pass" if is_reached else "FAIL"


def say(line: str) -> None:
    """Progress."""
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Measures, and prints or writes the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--questions", type=int, default=20)
    parser.add_argument("--out", type=Path, help="a file for the figures (JSON)")
    arguments = parser.parse_args()
    found = asyncio.run(measure(arguments.questions))
    figures = figures_of(found, arguments.questions)
    text = json.dumps(figures, indent=1)
    print(text)

    if arguments.out:
        arguments.out.write_text(text + "\n", "utf-8")

    return 0 if figures["is_reached"] else 1


if __name__ == "__main__":
    sys.exit(main())
