"""The page in a real Chromium: what it shows, what it says about faults, and a talk through it."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import av
import numpy as np
import pytest

from atonce.speech import audio_file
from atonce.speech.protocols import Audio

ROOT = Path(__file__).parent.parent
QUESTION = ROOT / "examples" / "question.wav"
LONG_SPEECH = ROOT / "tests" / "audio" / "jfk.wav"
TOKEN = "a-token-for-this-test"
READY = "!document.querySelector('#talk').disabled"
STATE = "document.body.dataset.state"
CAPTIONS = "[...document.querySelectorAll('#captions li')].map(line => line.innerText)"
FAULT = "document.querySelector('#fault').hidden ? '' : document.querySelector('#fault').innerText"
SERVE = ("-m", "atonce.agent.cli", "serve", "--port", "0")
START_S = 120.0  # some five seconds on an idle machine
STOP_S = 60.0  # a goodbye takes two; after nine it is cut
ANSWER_S = 60.0  # a turn takes two seconds; on a machine that does much else, ten times that


def _chromium() -> ModuleType:
    spec = importlib.util.spec_from_file_location("chromium", ROOT / "scripts" / "chromium.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["chromium"] = module
    spec.loader.exec_module(module)
    return module


chromium = _chromium()
pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(chromium.found() is None, reason="needs Chromium: apt-get install chromium"),
]


class Server:
    """`atonce serve`, as a person starts it."""

    def __init__(self, *options: str, token: str = "") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", *SERVE, *options],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "ATONCE_TOKEN": token},
        )
        self.told = ""
        late = threading.Timer(START_S, self._process.send_signal, [signal.SIGABRT])
        late.start()
        while "atonce: ready" not in self.told:
            assert self._process.stderr is not None
            line = self._process.stderr.readline()
            assert line, f"the server ended, or did not begin in time: {self.told}"
            self.told += line

        late.cancel()

        found = re.search(r"https?://\S+:(\d+)/", self.told)
        assert found is not None
        self.port = int(found[1])
        self.address = f"http://127.0.0.1:{self.port}/"

    def is_busy(self) -> bool:
        with urllib.request.urlopen(f"{self.address}ready", timeout=10) as answer:
            return bool(json.load(answer)["is_busy"])

    def is_free_within(self, seconds: float) -> bool:
        ends_s = time.monotonic() + seconds
        while time.monotonic() < ends_s:
            if not self.is_busy():
                return True

            time.sleep(0.05)

        return False

    def stop(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        late = threading.Timer(STOP_S, self._process.send_signal, [signal.SIGABRT])
        late.start()
        told = self._process.communicate()[1]
        late.cancel()
        assert self._process.returncode == 0, told  # where each thread was, if it did not end
        return self._process.returncode


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    assert server.stop() == 0


@pytest.fixture
def browser() -> Iterator[Any]:
    """A Chromium whose microphone is silent until `speak`."""
    with chromium.Chromium(flags=("--use-fake-ui-for-media-stream",)) as browser:
        yield browser


def opened(browser: Any, server: Server) -> Any:
    tab = browser.open(server.address)
    tab.wait(READY)
    return tab


# A microphone of our own, and a note of every event.
INSTEAD = (
    chromium.MICROPHONE
    + """
window.speak = async (wav) => (await window.loaded(wav)).start();
"""
)
NOTE = """(() => {
  window.noted = [];
  const Peer = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Peer {
    createDataChannel(...told) {
      const channel = super.createDataChannel(...told);
      channel.addEventListener("message", (event) => window.noted.push(JSON.parse(event.data)));
      return channel;
    }
  };
})()"""
RECORD = """(() => {
  const pieces = [];
  const recorder = new MediaRecorder(document.querySelector("#voice").srcObject);
  recorder.ondataavailable = (event) => pieces.push(event.data);
  recorder.start(200);
  window.recorded = () => new Promise((resolve) => {
    recorder.onstop = async () => {
      const bytes = new Uint8Array(await new Blob(pieces).arrayBuffer());
      resolve(btoa(bytes.reduce((text, byte) => text + String.fromCharCode(byte), "")));
    };
    recorder.stop();
  });
})()"""


# The answer points to a place where nobody is: an address kept for documents.
UNCONNECTED = """(() => {
  const ask = window.fetch;
  window.fetch = async (...told) => {
    const response = await ask(...told);
    if (!String(told[0]).endsWith("/calls")) return response;
    const text = (await response.text()).replace(
      /^(a=candidate:\\S+ \\d \\S+ \\d+) \\S+ \\d+/gm, "$1 192.0.2.1 9");
    return new Response(text, { status: 201, headers: response.headers });
  };
  const Peer = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Peer {
    get localDescription() {
      const { type, sdp } = super.localDescription;
      return { type, sdp: sdp.replace(/^a=candidate.*\\r\\n/gm, "") };
    }
  };
})()"""


def listening(browser: Any, server: Server) -> Any:
    """A tab whose talk has begun."""
    assert server.is_free_within(6)  # of a browser that was ended a moment ago
    tab = opened(browser, server)
    tab.evaluate(INSTEAD)
    tab.evaluate(NOTE)
    tab.click("#talk")
    tab.wait(f"{STATE} === 'listening' && !!document.querySelector('#voice').srcObject")
    tab.wait("noted.some((event) => event.type === 'session.created')")
    return tab


def speak(tab: Any, file: Path) -> None:
    tab.evaluate(f"speak('{base64.b64encode(file.read_bytes()).decode()}')")


def noted(tab: Any, name: str) -> list[dict[str, Any]]:
    found = tab.evaluate(f"noted.filter((event) => event.type === {json.dumps(name)})")
    assert isinstance(found, list)
    return found


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def decoded(recording: str) -> Audio:
    """What a MediaRecorder gave, at 16 kHz."""
    pieces = []
    resampler = av.AudioResampler(format="s16", layout="mono", rate=16_000)
    with av.open(io.BytesIO(base64.b64decode(recording))) as container:
        for frame in container.decode(audio=0):
            pieces += [piece.to_ndarray().reshape(-1) for piece in resampler.resample(frame)]

    return Audio(np.concatenate(pieces).astype(np.float32) / 32768, 16_000)


def voice(audio: Audio) -> tuple[float, float]:
    """Of a recorded reply: its loudness (RMS), and its longest silence in seconds."""
    frames = audio.samples[: len(audio.samples) // 320 * 320].reshape(-1, 320)
    levels = np.sqrt(np.mean(frames**2, axis=1))
    sounds = np.flatnonzero(levels > 0.01)
    return float(np.sqrt(np.mean(levels[sounds] ** 2))), float(np.diff(sounds).max()) * 0.02


# --- a talk ---


def test_a_question_into_the_fake_microphone_is_answered_aloud_and_captioned(
    server: Server, tmp_path: Path
) -> None:
    """As a person's browser does it: Chromium's own microphone, and the sound that it received."""
    from atonce.config import registry
    from atonce.config.load import load

    question = audio_file.read(QUESTION)
    rest = [np.zeros(round(s * question.rate_hz), np.float32) for s in (6.0, 30.0)]
    spoken = Audio(np.concatenate([rest[0], question.samples, rest[1]]), question.rate_hz)
    audio_file.write(spoken, tmp_path / "microphone.wav")

    with chromium.Chromium(microphone=tmp_path / "microphone.wav") as browser:
        tab = opened(browser, server)
        tab.evaluate(NOTE)
        tab.click("#talk")
        tab.wait("!!document.querySelector('#voice').srcObject")
        tab.evaluate(RECORD)
        tab.wait("noted.some((event) => event.type === 'response.done')", seconds=ANSWER_S)
        time.sleep(0.5)  # what is on its way
        recording = decoded(tab.evaluate("recorded()"))
        captions = tab.evaluate(CAPTIONS)
        said = noted(tab, "response.done")[0]["response"]["output"][0]["content"][0]["transcript"]

        assert captions == ["You\nHow much is a ticket for an adult?", f"Agent\n{said}"]
        assert tab.evaluate("document.querySelectorAll('#turn tr').length") >= 4
        assert noted(tab, "atonce.spoken")[-1]["characters"] > 0
        assert len(noted(tab, "atonce.draft")) >= 1
        completed = "conversation.item.input_audio_transcription.completed"
        assert noted(tab, completed)[0]["transcript"] == "How much is a ticket for an adult?"
        assert tab.evaluate("document.querySelectorAll('#captions .open').length") == 0
        assert tab.evaluate("document.querySelectorAll('#canvas .word.said').length") > 3
        tab.click("#talk")
        assert server.is_free_within(5)

    loud, silent_s = voice(recording)
    assert 0.02 < loud < 0.5  # RMS of what sounds: neither a whisper nor clipped
    assert silent_s < 0.8  # between two sentences; a stall of the stream would be longer
    transcriber = load(None, ()).settings.transcriber
    engine = registry.find("transcriber", transcriber.engine).from_settings(transcriber)
    heard = words(engine.transcribe(recording).text)
    plain = [word for word in words(said) if word not in ("i'm", "don't")]
    assert sum(word in heard for word in plain) >= 0.75 * len(plain), (heard, said)


def test_who_speaks_while_the_agent_speaks_interrupts_it(browser: Any, server: Server) -> None:
    tab = listening(browser, server)
    speak(tab, QUESTION)
    tab.wait(f"{STATE} === 'speaking'", seconds=ANSWER_S)
    speak(tab, LONG_SPEECH)
    tab.wait(
        "noted.some((event) => event.type === 'output_audio_buffer.cleared')", seconds=ANSWER_S
    )
    ended = noted(tab, "response.done")[0]["response"]
    whole = noted(tab, "response.output_audio_transcript.done")[0]["transcript"]
    heard = ended["output"][0]["content"][0]["transcript"] if ended["output"] else ""

    assert ended["status"] == "cancelled"
    assert len(heard) < len(whole)
    assert tab.evaluate("document.querySelectorAll('#canvas .word.unheard').length") > 0
    tab.close()
    assert server.is_free_within(5)


def test_the_person_s_own_k_is_obeyed_and_the_operator_s_range_holds(
    browser: Any, server: Server
) -> None:
    tab = listening(browser, server)
    limits = noted(tab, "session.created")[0]["session"]["atonce"]
    slider = "document.querySelector('#steps')"
    assert tab.evaluate(f"[Number({slider}.min), Number({slider}.max)]") == [
        limits["min_steps"],
        limits["max_steps"],
    ]
    chosen = limits["min_steps"] + 1
    tab.evaluate(f"""{slider}.value = {chosen};
        {slider}.dispatchEvent(new Event("input"));
        {slider}.dispatchEvent(new Event("change"))""")
    tab.wait("noted.some((event) => event.type === 'session.updated')")
    assert tab.evaluate("document.querySelector('#automatic').checked") is False
    speak(tab, QUESTION)
    tab.wait("noted.some((event) => event.type === 'atonce.reply')", seconds=ANSWER_S)
    assert noted(tab, "atonce.plan")[-1]["steps"] == chosen
    assert str(chosen) in tab.evaluate("document.querySelector('#plan').innerText")
    tab.close()
    assert server.is_free_within(5)


def test_a_closed_tab_and_a_browser_that_dies_free_the_place_within_five_seconds(
    browser: Any, server: Server
) -> None:
    listening(browser, server).close()
    assert server.is_free_within(5)
    listening(browser, server)
    assert server.is_busy()
    browser.kill()
    assert server.is_free_within(5)


@pytest.mark.parametrize("after_s", [0.0, 2.5])
def test_a_browser_that_dies_while_it_connects_frees_the_place_within_five_seconds(
    browser: Any, server: Server, after_s: float
) -> None:
    tab = opened(browser, server)
    tab.evaluate(INSTEAD)
    tab.evaluate(UNCONNECTED)
    tab.click("#talk")
    ends_s = time.monotonic() + 10
    while not server.is_busy():
        assert time.monotonic() < ends_s

    time.sleep(after_s)  # the page tells meanwhile that it is there
    assert server.is_busy()
    browser.kill()
    assert server.is_free_within(5)


def test_a_second_person_is_told_that_somebody_else_talks(browser: Any, server: Server) -> None:
    first = listening(browser, server)
    second = opened(browser, server)
    second.evaluate(INSTEAD)
    second.click("#talk")
    assert "somebody else is talking" in second.wait(FAULT)
    assert second.evaluate(READY)
    first.close()
    assert server.is_free_within(5)


def test_a_stopping_server_says_goodbye_aloud_and_the_page_says_so() -> None:
    server = Server("--set", "agent.sentences.goodbye=Goodbye and thank you.")
    with chromium.Chromium(flags=("--use-fake-ui-for-media-stream",)) as browser:
        tab = listening(browser, server)
        assert server.stop() == 0
        tab.wait(f"{STATE} === 'idle'")
        assert tab.evaluate("document.querySelector('#state').innerText") == "Ended by the server"
        assert tab.evaluate(CAPTIONS) == ["Agent\nGoodbye and thank you."]
        done = noted(tab, "response.done")[-1]["response"]
        assert (done["id"], done["status"]) == ("resp_sentence_1", "completed")
        assert noted(tab, "atonce.spoken")[-1]["response_id"] == "resp_sentence_1"


# --- faults are named, with what to do ---


def test_a_refused_microphone_is_named(server: Server) -> None:
    with chromium.Chromium(flags=("--use-fake-device-for-media-stream",)) as browser:
        browser.refuse_microphone(server.address.rstrip("/"))
        tab = opened(browser, server)
        tab.click("#talk")
        told = tab.wait(FAULT)
        assert "refused" in told
        assert "Allow" in told
        assert not server.is_busy()


def test_a_missing_microphone_is_named(browser: Any, server: Server) -> None:
    tab = opened(browser, server)
    tab.evaluate("""navigator.mediaDevices.getUserMedia = async () => {
        throw new DOMException("Requested device not found", "NotFoundError") }""")
    tab.click("#talk")
    told = tab.wait(FAULT)
    assert "No microphone was found" in told
    assert "Plug one in" in told


def test_a_connection_that_does_not_come_about_is_given_up_and_named(
    browser: Any, server: Server
) -> None:
    tab = opened(browser, server)
    tab.evaluate(INSTEAD)
    tab.evaluate(UNCONNECTED)
    began_s = time.monotonic()
    tab.click("#talk")
    told = tab.wait(FAULT, seconds=20)
    assert time.monotonic() - began_s < 14
    assert "cannot get through" in told
    assert "UDP" in told
    assert server.is_free_within(5)


def test_http_on_a_network_and_the_token_are_explained_by_the_page() -> None:
    server = Server("--host", "0.0.0.0", token=TOKEN)
    try:
        assert "WARNING" in server.told
        with chromium.Chromium(flags=("--use-fake-ui-for-media-stream",)) as browser:
            tab = browser.open(server.address)
            tab.wait("!document.querySelector('#token-form').hidden")
            assert tab.evaluate("document.querySelector('#talk').disabled")
            tab.evaluate(INSTEAD)
            tab.evaluate("document.querySelector('#token').value = 'wrong-token'")
            tab.click("#token-form button")
            tab.click("#talk")
            assert "wants a token" in tab.wait(FAULT)

            tab = browser.open(f"{server.address}#token={TOKEN}")
            tab.wait(READY)
            assert tab.evaluate("location.href") == server.address
            tab.evaluate(INSTEAD)
            tab.click("#talk")
            tab.wait(f"{STATE} === 'listening'")

            if address := _address_in_the_network():
                tab = browser.open(f"http://{address}:{server.port}/#token={TOKEN}")
                told = tab.wait(FAULT)
                assert "secure" in told
                assert "https" in told
                assert "127.0.0.1" in told
    finally:
        server.stop()


def _address_in_the_network() -> str:
    """This machine's own address, if it has one besides 127.0.0.1; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return ""

        return str(probe.getsockname()[0])


# --- what the page shows ---


def shown(tab: Any, *events: dict[str, Any]) -> None:
    """Let the page show events as if a talk sent them."""
    tab.evaluate(f"""(async () => {{
      const {{ View }} = await import("/web/view.js");
      window.view ??= new View(() => {{}});
      for (const event of {json.dumps(events)}) view.show(event);
    }})()""")


def cell(text: str, confidence: float = 0.95) -> dict[str, Any]:
    return {"text": text, "is_open": not text, "confidence": confidence}


def draft(step: int, *cells: dict[str, Any], repair: int = 0) -> dict[str, Any]:
    told = {"step": step, "steps": 2, "forced": False, "repair": repair, "cells": list(cells)}
    return {"type": "atonce.draft", "response_id": "resp_1", **told}


BEGUN = {"type": "response.created", "response": {"id": "resp_1"}, "atonce": {"is_early": False}}


def kinds(tab: Any) -> list[str]:
    found = tab.evaluate("[...document.querySelectorAll('#canvas .cell')].map(c => c.className)")
    assert isinstance(found, list)
    return found


def test_the_canvas_shows_masks_words_by_confidence_and_what_is_masked_again(
    browser: Any, server: Server
) -> None:
    tab = opened(browser, server)
    shown(tab, BEGUN, draft(1, cell(" Nine"), cell(""), cell(" dollars", 0.3)))
    assert kinds(tab) == ["cell sure fresh", "cell open", "cell unsure fresh"]
    assert tab.evaluate("document.querySelector('#step').innerText") == "Step 1 of 2"

    shown(tab, draft(1, cell(" Nine"), cell(" US", 0.7), cell(""), repair=1))
    tab.wait("!!document.querySelector('#canvas .again')")
    assert kinds(tab) == ["cell sure", "cell medium fresh", "cell again"]
    assert tab.evaluate("document.querySelector('.again[title]').title") == "was “dollars”"


def test_the_voice_s_place_runs_through_the_reply_and_a_cut_is_marked(
    browser: Any, server: Server
) -> None:
    tab = opened(browser, server)
    reply = {"type": "atonce.reply", "response_id": "resp_1", "text": "We open at 9.", "steps": 2}
    shown(
        tab,
        BEGUN,
        {**reply, "source": "denoiser", "repaired": 1},
        {"type": "output_audio_buffer.started", "response_id": "resp_1"},
        {"type": "atonce.spoken", "response_id": "resp_1", "characters": 7},
    )
    place = "[...document.querySelectorAll('#canvas .word')].map(word => word.className)"
    assert tab.evaluate(place) == ["word said", "word now", "word", "word"]

    output = [{"content": [{"transcript": "We open"}]}]
    done = {"id": "resp_1", "status": "cancelled", "output": output}
    shown(tab, {"type": "response.done", "response": done})
    assert tab.evaluate(place) == ["word said", "word said", "word unheard", "word unheard"]
    assert "not remembered" in tab.evaluate("document.querySelector('#note').innerText")


def test_the_plan_shown_is_that_of_the_reply_that_is_heard(browser: Any, server: Server) -> None:
    tab = opened(browser, server)
    plan = "document.querySelector('#plan').innerText"

    def begun(number: int, steps: int) -> list[dict[str, Any]]:
        one = {"response_id": f"resp_{number}"}
        planned = {"type": "atonce.plan", "steps": steps, "canvas": 40, "reason": "time", **one}
        created = {"type": "response.created", "response": {"id": f"resp_{number}"}}
        return [created, planned]

    def withdrawn(number: int) -> dict[str, Any]:
        told = {"id": f"resp_{number}", "status": "cancelled", "output": []}
        return {"type": "response.done", "response": told}

    session = {"steps": 4, "min_steps": 2, "max_steps": 8, "is_watched": True}
    shown(tab, {"type": "session.created", "session": {"atonce": session}}, *begun(1, 4))
    assert "4 steps" in tab.evaluate(plan)
    shown(tab, {"type": "output_audio_buffer.started", "response_id": "resp_1"}, *begun(2, 0))
    assert "4 steps" in tab.evaluate(plan)
    done = {"id": "resp_1", "status": "completed", "output": []}
    shown(tab, withdrawn(2), {"type": "response.done", "response": done}, *begun(3, 6))
    assert "6 steps" in tab.evaluate(plan)
    shown(tab, withdrawn(3))
    assert "4 steps" in tab.evaluate(plan)


@pytest.mark.parametrize("width", [320, 375, 1280])
def test_nothing_is_wider_than_the_screen(browser: Any, server: Server, width: int) -> None:
    tab = opened(browser, server)
    tab.size(width, 800, is_phone=width < 600)
    shown(tab, BEGUN, draft(1, *[cell(" Llanfairpwllgwyngyll") for _ in range(30)]))
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_background_in_both_schemes(
    browser: Any, server: Server, scheme: str
) -> None:
    """WCAG 2.2, level AA: 4.5 to 1."""
    tab = opened(browser, server)
    tab.prefer(color_scheme=scheme)
    pairs = [
        ("--ink", "--card"), ("--ink", "--paper"), ("--quiet", "--card"), ("--quiet", "--paper"),
        ("--accent", "--card"), ("--on-accent", "--accent"), ("--amber", "--card"),
        ("--red", "--card"), ("--ink", "--said"),
    ]  # fmt: skip
    for text, ground in pairs:
        colours = [
            tab.evaluate(f"getComputedStyle(document.documentElement).getPropertyValue('{name}')")
            for name in (text, ground)
        ]
        assert contrast(*colours) >= 4.5, (scheme, text, ground)


def contrast(one: str, other: str) -> float:
    """Of two colours, #rrggbb, after WCAG."""

    def light(colour: str) -> float:
        parts = [int(colour.strip()[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted((light(one), light(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_everything_can_be_reached_and_has_a_name(browser: Any, server: Server) -> None:
    tab = opened(browser, server)
    tree = tab.ask("Accessibility.getFullAXTree")["nodes"]
    nameless = [
        node["role"]["value"]
        for node in tree
        if node.get("role", {}).get("value") in ("button", "slider", "checkbox", "log", "status")
        and not node.get("ignored")
        and node["role"]["value"] != "status"
        and not node.get("name", {}).get("value")
    ]
    assert nameless == []
    assert tab.evaluate("document.documentElement.lang") == "en"
