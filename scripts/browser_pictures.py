"""Draw the pictures of docs/browser.md: the page in Chromium, shown the events of one turn.

The reply and its times are an example: nothing is measured here. Needs Chromium.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from chromium import Chromium, Tab

from atonce.agent import events as e
from atonce.agent.realtime_events import Message, Opening, RealtimeEvents
from atonce.agent.reply_check import Problem, Verdict
from atonce.agent.reply_rules import Reply
from atonce.agent.serve_access import Access
from atonce.agent.serve_app import Page, app
from atonce.agent.serve_talk import OneTalk
from atonce.llm.protocols import Cell, Draft, Plan

DOCS = Path(__file__).parent.parent / "docs"
QUESTION = "How much is a ticket for an adult?"
WORDS = [" An", " adult", " ticket", " costs", " $", "14", ".", " Children", " under", " 10"]
WORDS += [" get", " in", " free", "."]
SURE = (0.97, 0.93, 0.96, 0.91, 0.95, 0.44, 0.92, 0.7, 0.83, 0.61, 0.94, 0.96, 0.92, 0.9)
STEPS = ((0, 1, 6, 7), (2, 3, 10, 13), (4, 5, 9), (8, 11, 12))
EMPTY = 6  # positions behind the end of the reply


def draft(step: int, written: set[int]) -> Draft:
    """The canvas in which these words are written."""
    cells = [
        Cell(at, word, is_open=False, confidence=SURE[at])
        if at in written
        else Cell(0, "", is_open=True, confidence=0.0)
        for at, word in enumerate(WORDS)
    ]
    cells += [Cell(0, "", is_open=step < 3, confidence=1.0)] * EMPTY
    return Draft(step, 4, tuple(cells))


def turn() -> list[e.SessionEvent]:
    """One turn, up to the first sound."""
    happened: list[e.SessionEvent] = [
        e.SpeechDetected(1.0, 0.9),
        e.SpeechPaused(2.5, 2.38),
        e.WordsHeard(2.56, QUESTION, 8, is_final=True),
        e.ReplyStarted(2.56, 1, QUESTION),
        e.PlanMade(2.56, Plan(4, 20), "K = 4 fits: 510 ms are left", 1),
        e.PromptRead(2.64, 34),
    ]
    written: set[int] = set()
    for step, places in enumerate(STEPS, 1):
        written |= set(places)
        happened.append(e.DraftMade(2.64 + 0.035 * step, draft(step, written), 0))

    wrong = Verdict((Problem("value", 17, 20, "$19 stands in no fact"),))
    happened += [
        e.ReplyChecked(2.79, wrong, final=False),
        e.DraftMade(2.82, draft(1, written - {4, 5, 6}), 1),
        e.DraftMade(2.85, draft(2, written), 1),
        e.ReplyChecked(2.86, Verdict(()), final=True),
        e.ReplySettled(2.86, Reply("".join(WORDS).strip(), "denoiser", 6, 1, forced=False), 1),
        e.ReplyWaits(2.93, 1),
        e.QuestionHeard(2.93, QUESTION),
        e.SpeechStopped(2.9, 2.38),
        e.FirstAudio(3.0, 1),
    ]
    return happened


def messages() -> list[Message]:
    """The same, as the page is told."""
    told = RealtimeEvents(began_s=0.0)
    opened = told.opened(Opening("call_1", "embedded", 4, 2, 16, is_watched=True))
    return [opened, *(message for event in turn() for message in told.translate(event))]


@contextlib.contextmanager
def served() -> Iterator[str]:
    """The page's address; nobody talks there."""

    async def serve(listener: socket.socket, server: list[uvicorn.Server]) -> None:
        async with asyncio.TaskGroup() as group:
            clock = asyncio.get_running_loop().time
            talks = OneTalk(_nobody, _nobody, group, clock=clock)
            talks.is_ready = True
            application = app(talks, Access(is_local=True), Page((), 10.0, needs_token=False))
            server.append(
                uvicorn.Server(uvicorn.Config(application, lifespan="off", log_config=None))
            )
            await server[0].serve(sockets=[listener])

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server: list[uvicorn.Server] = []
        thread = threading.Thread(target=lambda: asyncio.run(serve(listener, server)))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        server[0].should_exit = True
        thread.join()


def _nobody(_: object) -> object:
    raise RuntimeError("nobody talks for a picture")


def show(tab: Tab, told: list[Message]) -> None:
    """Let the page show these messages."""
    tab.evaluate(f"""(async () => {{
      const {{ View }} = await import("/web/view.js");
      window.view ??= new View(() => {{}});
      for (const message of {json.dumps(told)}) view.show(message);
    }})()""")


def talking(tab: Tab, state: str) -> None:
    """As the page looks while it is connected."""
    tab.evaluate(f"""(() => {{
      view.state("{state}");
      document.body.dataset.talk = "on";
      document.querySelector("#talk").textContent = "End the talk";
      document.querySelector("#level").style.setProperty("--loud", 0.55);
    }})()""")


def main() -> int:
    """Writes docs/browser-*.webp."""
    told = messages()
    at = {str(m["type"]): n for n, m in enumerate(told)}  # the last of each type
    drafts = [n for n, message in enumerate(told) if message["type"] == "atonce.draft"]

    with served() as address, Chromium() as browser:
        tab = browser.open(address, width=1120, height=760)
        tab.wait("!document.querySelector('#talk').disabled")
        tab.prefer(color_scheme="light", reduced_motion="reduce")
        show(tab, told[: drafts[1] + 1])
        talking(tab, "thinking")
        tab.wait("document.querySelector('#step').textContent === 'Step 2 of 4'")
        tab.screenshot(DOCS / "browser-denoising.webp")

        tab.prefer(color_scheme="dark", reduced_motion="reduce")
        show(tab, told[drafts[1] + 1 : drafts[-2] + 1])
        tab.wait("!!document.querySelector('#canvas .again')")
        tab.screenshot(DOCS / "browser-repair.webp")

        show(tab, told[drafts[-2] + 1 :])
        tab.wait("!!document.querySelector('#canvas .word')")
        place = {"type": "atonce.spoken", "response_id": "resp_1", "characters": 22}
        show(tab, [place])
        talking(tab, "speaking")
        tab.size(375, 812, is_phone=True)
        tab.wait("!!document.querySelector('#canvas .now')")
        tab.screenshot(DOCS / "browser-phone.webp")
        tab.prefer(color_scheme="light", reduced_motion="reduce")
        tab.size(1120, 760)
        tab.screenshot(DOCS / "browser-speaking.webp")

    assert at["atonce.timeline"]  # the waterfall was shown
    return 0


if __name__ == "__main__":
    sys.exit(main())
