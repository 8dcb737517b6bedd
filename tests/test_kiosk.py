"""`atonce kiosk` as it is started in a museum: a process, a broker, a sound card."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import fastjsonschema
import pytest

from atonce.agent import kiosk, mqtt_broker, virtual_card
from atonce.agent.cli import main
from atonce.agent.mqtt_broker import OwnBroker, Watcher
from atonce.agent.mqtt_link import Broker
from atonce.agent.virtual_card import VirtualCard
from atonce.config import registry
from atonce.config.errors import AtonceError
from atonce.config.load import defaults, load
from atonce.speech.protocols import Audio

pytestmark = [
    pytest.mark.skipif(
        mqtt_broker.program() is None, reason="needs mosquitto: apt-get install mosquitto"
    ),
    pytest.mark.skipif(
        not virtual_card.is_available(), reason="needs PulseAudio: apt-get install pulseaudio"
    ),
]
ROOT = Path(__file__).parent.parent
QUESTION = ROOT / "examples" / "question.wav"
PAGE = (ROOT / "docs" / "mqtt.md").read_text(encoding="utf-8")
SCHEMAS: dict[str, Any] = {
    schema["title"]: fastjsonschema.compile(schema)
    for schema in map(json.loads, re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL))
    if "title" in schema
}
LONGEST_S = 180.0
"""Nothing takes as long, not even loading on a machine that does much else."""
FAKES = """
llm: {engine: fake}
transcriber: {engine: fake}
synthesizer: {engine: fake}
voice_detector: {engine: fake}
echo: {engine: "off"}
turn: {silence_prompt_s: 0}
"""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[OwnBroker]:
    (tmp_path / "broker").mkdir()
    with OwnBroker(tmp_path / "broker") as own:
        yield own


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VirtualCard]:
    (tmp_path / "card").mkdir()
    card = VirtualCard(tmp_path / "card")

    for name, value in card.environment.items():
        monkeypatch.setenv(name, value)

    with card:
        yield card


class Kiosk:
    """The process, and what it printed."""

    def __init__(self, folder: Path, port: int, settings: str = "", more: str = FAKES) -> None:
        config = folder / "kiosk.yaml"
        config.write_text(f"kiosk:\n  port: {port}\n  base_topic: hall\n{settings}{more}")
        self.lines: list[str] = []
        self._arrived = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "atonce.agent.cli", "kiosk", "--config", str(config)],
            stderr=subprocess.PIPE,
            text=True,
        )
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def __enter__(self) -> Kiosk:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self.wait()

    def wait_for(self, words: str) -> None:
        """Until it has printed this."""

        def is_told() -> bool:
            return any(words in line for line in self.lines)

        with self._arrived:
            self._arrived.wait_for(lambda: is_told() or not self._thread.is_alive(), LONGEST_S)
            assert is_told(), "\n".join(self.lines)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code."""
        self._process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        self._thread.join()
        return self._process.wait()

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as printed:
            for line in printed:
                with self._arrived:
                    self.lines.append(line.rstrip())
                    self._arrived.notify_all()


def command(**body: object) -> dict[str, object]:
    """A command in good form; each has an id of its own."""
    soon = (datetime.now(UTC) + timedelta(seconds=30)).isoformat()
    return {"id": f"test-{time.monotonic_ns()}", "expires_at": soon, **body}


def check(watcher: Watcher) -> None:
    """Every message of the kiosk fits its schema."""
    for one in watcher.heard:
        name = one.topic.removeprefix("hall/")
        if "/" not in name:
            SCHEMAS[name.title()](one.content)


@pytest.mark.models
def test_a_visitor_is_answered_aloud_while_whoever_watches_is_told_in_order(
    card: VirtualCard, broker: OwnBroker, tmp_path: Path
) -> None:
    settings = "  publish_transcripts: true\n  commands: [say]\n"
    # On a machine that is busy with other tests too few steps might be left for the right answer.
    more = "watchdog: {enabled: false}\nturn: {silence_prompt_s: 0}\n"

    with Watcher(broker.port) as watcher:
        with Kiosk(tmp_path, broker.port, settings, more) as kiosk, card.recorder() as recording:
            kiosk.wait_for("ready")
            online = watcher.wait_for("hall/status", lambda it: it["status"] == "online")
            card.speak(QUESTION).wait()
            question = watcher.wait_for("hall/transcript", within_s=LONGEST_S)
            reply = watcher.wait_for("hall/reply", within_s=LONGEST_S)
            before = len(watcher.heard)
            watcher.send("hall/command/say", command(text="The museum closes in ten minutes."))
            said = watcher.wait_for("hall/reply", after=before, within_s=LONGEST_S)
            time.sleep(0.5)  # the card's own delay
            played = recording.played
            assert kiosk.end() == 0
            offline = watcher.wait_for("hall/status", lambda it: it["status"] == "offline")

        check(watcher)

    states = [one.content["state"] for one in watcher.heard if one.topic == "hall/state"]
    first = states[states.index("hearing") :]
    assert first[:4] == ["hearing", "thinking", "speaking", "listening"]
    assert online.content["commands"] == ["say"]
    assert "ticket for an adult" in question.content["text"]
    assert "$14" in reply.content["text"]
    assert said.content["text"] == "The museum closes in ten minutes."
    assert offline.content["reason"] == "stopped"
    heard = _transcript(played)
    assert "14" in heard
    assert "museum closes in" in heard
    assert "ticket" not in "\n".join(kiosk.lines)  # nothing that was said is in the log


def _transcript(audio: Audio) -> str:
    section = defaults().settings.transcriber
    transcriber = registry.find("transcriber", section.engine).from_settings(section)
    text: str = transcriber.transcribe(audio).text
    return text


@pytest.mark.usefixtures("card")
def test_a_kiosk_that_is_killed_is_told_to_be_gone_by_the_broker_and_a_new_one_is_there_again(
    broker: OwnBroker, tmp_path: Path
) -> None:
    with Watcher(broker.port) as watcher:
        with Kiosk(tmp_path, broker.port) as kiosk:
            watcher.wait_for("hall/status", lambda it: it["status"] == "online", within_s=LONGEST_S)
            assert kiosk.end(signal.SIGKILL) == -signal.SIGKILL
            will = watcher.wait_for("hall/status", lambda it: it["status"] == "offline")

        assert will.content["at"] is None
        assert will.content["reason"] == "the connection was lost"

        with Watcher(broker.port) as late:  # it is retained, on the one topic
            assert late.wait_for("hall/status").content["status"] == "offline"

        before = len(watcher.heard)
        with Kiosk(tmp_path, broker.port):
            watcher.wait_for(
                "hall/status", lambda it: it["status"] == "online", within_s=LONGEST_S, after=before
            )

        check(watcher)


def test_a_microphone_that_is_missing_at_the_start_is_awaited(
    card: VirtualCard, broker: OwnBroker, tmp_path: Path
) -> None:
    card.kill()

    with (
        Watcher(broker.port) as watcher,
        Kiosk(tmp_path, broker.port, "  commands: [say, mute]\n") as kiosk,
    ):
        watcher.wait_for("hall/error", lambda it: it["error"] == "trouble", within_s=LONGEST_S)
        kiosk.wait_for("it is looked for again")
        watcher.send("hall/command/say", command(text="Hello."))
        watcher.wait_for("hall/error", lambda it: it["error"] == "not_ready")
        card.start()
        watcher.wait_for("hall/status", lambda it: it["status"] == "online", within_s=LONGEST_S)
        watcher.send("hall/command/mute", command(is_muted=True))
        watcher.wait_for("hall/state", lambda it: it["is_muted"])
        watcher.send("hall/command/volume", command(volume=10))
        watcher.wait_for("hall/error", lambda it: it["error"] == "off")
        watcher.send("hall/command/mute", command(is_muted=False), is_retained=True)
        watcher.wait_for("hall/error", lambda it: it["error"] == "retained")
        assert kiosk.end() == 0
        check(watcher)


@pytest.mark.usefixtures("card")
def test_without_a_broker_it_talks_and_says_so_once_and_the_broker_may_come_later(
    broker: OwnBroker, tmp_path: Path
) -> None:
    broker.stop()

    with Kiosk(tmp_path, broker.port) as kiosk:
        kiosk.wait_for("ready")
        kiosk.wait_for("cannot be reached: nobody listens there: is the broker running")
        broker.start()
        kiosk.wait_for("connected with the MQTT broker")
        with Watcher(broker.port) as watcher:
            watcher.wait_for("hall/status", lambda it: it["status"] == "online")

        assert kiosk.end(signal.SIGINT) == 0

    assert sum("cannot be reached" in line for line in kiosk.lines) == 1
    assert not any("Traceback" in line for line in kiosk.lines)


@pytest.mark.usefixtures("card")
def test_check_tells_what_is_well_and_what_is_not_and_throws_nobody_out(
    broker: OwnBroker, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["kiosk", "--check", "--set", f"kiosk.port={broker.port}"]
    assert main(options) == 0
    well = capsys.readouterr().out
    assert "ok     microphone   atonce_microphone" in well
    assert "ok     broker       the MQTT broker 127.0.0.1" in well

    broker.stop()
    assert main([*options, "--set", "microphone.input=yeti"]) == 1
    wrong = capsys.readouterr().out
    assert "WRONG  microphone" in wrong
    assert "WRONG  broker" in wrong
    assert "nobody listens there" in wrong


@pytest.mark.usefixtures("card")
def test_the_password_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    users = tmp_path / "users"
    making = [mqtt_broker.program("mosquitto_passwd") or "", "-b", "-c", str(users)]
    subprocess.run([*making, "kiosk", "right"], check=True, capture_output=True)
    own = OwnBroker(tmp_path, lines=["allow_anonymous false", f"password_file {users}"])

    with own:
        options = ["--set", f"kiosk.port={own.port}", "--set", "kiosk.username=kiosk"]
        monkeypatch.setenv("ATONCE_MQTT_PASSWORD", "right")
        assert main(["kiosk", "--check", *options]) == 0
        monkeypatch.setenv("ATONCE_MQTT_PASSWORD", "wrong-one")
        assert main(["kiosk", "--check", *options]) == 1
        told = capsys.readouterr().out
        assert "refuses the user kiosk" in told
        assert "wrong-one" not in told


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("microphone.push_to_talk=true", "a kiosk has no key"),
        ("kiosk.base_topic=museum/#", "a topic such as museum/kiosk-1 is wanted"),
        ("kiosk.clear_after_s=1", "kiosk.clear_after_s"),
    ],
)
def test_settings_that_do_not_fit_a_kiosk_are_told_before_anything_is_loaded(
    setting: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["kiosk", "--set", setting]) == 2
    assert words in capsys.readouterr().err


def test_a_talk_that_does_not_end_when_it_is_cut_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left: list[str] = []
    let_go = asyncio.Event()

    async def hang(_: kiosk.Kiosk) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        with contextlib.suppress(asyncio.CancelledError):
            await let_go.wait()

        await let_go.wait()

    def leave(fault: AtonceError) -> None:  # the real one ends this process
        left.append(str(fault))
        let_go.set()

    monkeypatch.setattr(kiosk, "CUT_S", 0.05)
    monkeypatch.setattr(kiosk, "leave", leave)
    monkeypatch.setattr(kiosk.Kiosk, "_serve", hang)
    settings = load(None, ["kiosk.port=1"]).settings
    broker = Broker(settings.kiosk, "", None)

    async def live() -> None:
        async with asyncio.timeout(10):
            await kiosk.Kiosk(settings, broker, None, say=lambda _: None).run()

    asyncio.run(live())
    assert len(left) == 1
    assert "did not end when it was cut" in left[0]


def test_systemd_is_told(tmp_path: Path) -> None:
    import socket

    from atonce.agent.kiosk_notify import Supervisor

    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(tmp_path / "notify"))
        line.settimeout(5)
        Supervisor({"NOTIFY_SOCKET": str(tmp_path / "notify")}).tell("READY=1")
        assert line.recv(100) == b"READY=1"

    Supervisor({"NOTIFY_SOCKET": str(tmp_path / "notify")}).tell("nobody listens any more")
    Supervisor(dict(os.environ, NOTIFY_SOCKET="")).tell("there is no systemd")
