"""The browser's server: who is let in, who has the place, and how it stops."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from atonce.agent import serve, serve_app, serve_talk
from atonce.agent.serve_access import HEADERS, Access, is_local
from atonce.agent.serve_app import MOST_BYTES, Page, app
from atonce.agent.serve_talk import OneTalk, Talk
from atonce.agent.webrtc import WebRtc
from atonce.config.errors import AtonceError, UsageError
from atonce.config.load import load

CALLS = "/v1/realtime/calls"
SDP = {"content-type": "application/sdp"}
TOKEN = "a-long-token"


class Browser:
    """Stands in for a WebRtc: its offers are words."""

    def __init__(self) -> None:
        self.gone = asyncio.Event()
        self.is_closing = self.is_closed = False
        self.closes: asyncio.Event | None = None
        self.published: list[object] = []
        self.talker: object = None
        self.answers: asyncio.Event | None = None
        self.told = 0

    def note_page(self) -> None:
        self.told += 1

    async def answer(self, offer: str) -> str:
        if self.answers is not None:
            await self.answers.wait()

        if offer != "offer":
            raise UsageError("this is no offer")

        return "answer"

    def obey_with(self, talker: object) -> None:
        self.talker = talker

    def publish(self, event: object) -> None:
        self.published.append(event)

    async def close(self) -> None:
        self.is_closing = True

        if self.closes is not None:
            await self.closes.wait()

        self.is_closed = True


class Chat:
    """A talk that goes on until it is told to end, or does what it is scripted to do."""

    def __init__(
        self, fault: Exception | None = None, *, hangs: bool = False, ignores_cuts: bool = False
    ) -> None:
        self.has_said_goodbye = False
        self._fault = fault
        self._hangs = hangs or ignores_cuts
        self._ignores_cuts = ignores_cuts
        self._over = asyncio.Event()
        self.let_go = asyncio.Event()
        """Ends a talk that ignores cuts."""

    async def run(self) -> None:
        if self._fault:
            raise self._fault

        try:
            await (asyncio.Event() if self._hangs else self._over).wait()
        except asyncio.CancelledError:
            if not self._ignores_cuts:
                raise

            await self.let_go.wait()

    def end(self) -> None:
        self.has_said_goodbye = True
        self._over.set()

    def ask(self, text: str) -> None: ...
    def stop(self) -> None: ...
    def clear(self) -> None: ...
    def choose_steps(self, steps: int | None) -> None: ...


@dataclass
class Reply:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> object:
        """The error's code."""
        return json.loads(self.body)["error"]["code"]


class House:
    """A server without a port, for as long as `during` runs."""

    def __init__(self, *, token: str = "", is_local: bool = True, chat: Chat | None = None) -> None:
        self.browsers: list[Browser] = []
        self.chats: list[Chat] = []
        self.replies: list[Reply] = []
        self.is_gone = self.is_slow = False
        self.answers: asyncio.Event | None = None
        """Offers are answered once it is set."""
        self._chat = chat
        self._access = Access(is_local, token)

    def run(self, during: Callable[[House], Awaitable[None]]) -> None:
        async def live() -> None:
            async with asyncio.timeout(10), asyncio.TaskGroup() as group:
                clock = asyncio.get_running_loop().time
                self.talks = OneTalk(self._connect, self._converse, group, clock=clock)
                self.talks.is_ready = True
                self._app = app(self.talks, self._access, Page(("stun:a",), 10.0, bool(TOKEN)))
                await during(self)
                await self.talks.end()

        asyncio.run(live())

    def _connect(self, call_id: str) -> WebRtc:
        assert call_id.startswith("call_")
        self.browsers.append(Browser())
        self.browsers[-1].answers = self.answers
        return self.browsers[-1]  # type: ignore[return-value]

    def _converse(self, browser: WebRtc) -> Talk:
        assert browser is self.browsers[-1]
        self.chats.append(self._chat or Chat())
        return self.chats[-1]

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        host: str = "127.0.0.1:8080",
    ) -> Reply:
        told = {"host": host, **(headers or {})}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(key.encode(), value.encode()) for key, value in told.items()],
            "scheme": "http",
            "server": ("127.0.0.1", 8080),
            "client": ("192.0.2.7", 4711),
            "http_version": "1.1",
            "root_path": "",
        }
        sent: list[Any] = []

        bodies = [body]

        async def receive() -> dict[str, object]:
            if not bodies and self.is_gone:
                return {"type": "http.disconnect"}

            if not bodies or self.is_slow:  # the client waits for the answer
                await asyncio.Event().wait()

            return {"type": "http.request", "body": bodies.pop(), "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        try:
            await self._app(scope, receive, send)
        finally:
            given = {key.decode(): value.decode() for key, value in sent[0]["headers"]}
            body = b"".join(m.get("body", b"") for m in sent[1:])
            self.replies.append(Reply(sent[0]["status"], given, body))

        return self.replies[-1]

    async def call(self, body: bytes = b"offer", **headers: str) -> Reply:
        return await self.ask("POST", CALLS, body, {**SDP, **headers})


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  # what is waited for has no event
        await asyncio.sleep(0.001)


# --- a call ---


def test_an_offer_is_answered_with_an_answer_and_the_place_of_the_call() -> None:
    async def during(house: House) -> None:
        reply = await house.call()
        assert (reply.status, reply.body) == (201, b"answer")
        assert reply.headers["location"].startswith(f"{CALLS}/call_")
        assert reply.headers["content-type"].startswith("application/sdp")
        await until(lambda: bool(house.chats))
        assert house.browsers[0].talker is house.chats[0]

    House().run(during)


def test_a_second_person_is_told_that_the_agent_is_busy() -> None:
    async def during(house: House) -> None:
        await house.call()
        reply = await house.call()
        assert (reply.status, reply.code) == (503, "busy")
        assert len(house.browsers) == 1

    House().run(during)


def test_the_place_is_free_again_when_the_client_hangs_up() -> None:
    async def during(house: House) -> None:
        place = (await house.call()).headers["location"]
        assert (await house.ask("POST", f"{place}/hangup")).status == 200
        await until(lambda: not house.talks.is_busy)
        assert house.browsers[0].is_closed
        assert (await house.call()).status == 201

    House().run(during)


def test_a_hang_up_while_the_connection_closes_neither_stops_that_nor_keeps_the_place() -> None:
    async def during(house: House) -> None:
        place = (await house.call()).headers["location"]
        browser = house.browsers[0]
        browser.closes = asyncio.Event()
        await until(lambda: bool(house.chats))
        house.chats[0].end()
        await until(lambda: browser.is_closing)
        assert (await house.ask("POST", f"{place}/hangup")).status == 200
        await asyncio.sleep(0)
        browser.closes.set()
        await until(lambda: not house.talks.is_busy)
        assert browser.is_closed

    House().run(during)


def test_nobody_can_hang_up_another_person_s_call() -> None:
    async def during(house: House) -> None:
        await house.call()
        reply = await house.ask("POST", f"{CALLS}/call_of_somebody/hangup")
        assert (reply.status, reply.code) == (404, "no_such_call")
        assert house.talks.is_busy

    House().run(during)


def test_a_page_says_that_it_is_there_while_it_connects_and_a_program_need_not() -> None:
    async def during(house: House) -> None:
        place = (await house.call(**{serve_app.IS_PAGE: "1"})).headers["location"]
        assert house.browsers[0].told == 1
        assert (await house.ask("POST", f"{place}/alive")).status == 200
        assert house.browsers[0].told == 2
        assert (await house.ask("POST", f"{CALLS}/call_of_somebody/alive")).code == "no_such_call"
        await house.ask("POST", f"{place}/hangup")
        await until(lambda: not house.talks.is_busy)
        await house.call()
        assert house.browsers[1].told == 0

    House().run(during)


def test_the_place_is_free_again_when_the_talk_fails_and_the_page_is_told() -> None:
    async def during(house: House) -> None:
        await house.call()
        await until(lambda: not house.talks.is_busy)
        said = [str(event) for event in house.browsers[0].published]
        assert any("the disk is full" in event for event in said)
        assert house.browsers[0].is_closed

    House(chat=Chat(OSError("the disk is full"))).run(during)


def test_a_talk_that_cannot_be_begun_is_told_in_the_answer_and_takes_no_place() -> None:
    async def during(house: House) -> None:
        reply = await house.call()
        assert (reply.status, reply.code) == (500, "broken")
        assert b"no ears" in reply.body
        assert not house.talks.is_busy
        assert house.browsers[0].is_closed

    def fail(_: WebRtc) -> Talk:
        raise ValueError("no ears")

    house = House()
    house._converse = fail  # type: ignore[method-assign]
    house.run(during)


def test_a_tab_that_is_closed_before_the_answer_comes_frees_the_place() -> None:
    async def during(house: House) -> None:
        house.is_gone = True
        await house.call()
        await until(lambda: not house.talks.is_busy)
        assert house.browsers[0].is_closed

    House().run(during)


def test_an_offer_that_never_ends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve_app, "BODY_S", 0.02)

    async def during(house: House) -> None:
        house.is_slow = True
        reply = await house.call()
        assert (reply.status, reply.code) == (408, "too_slow")
        assert not house.browsers

    House().run(during)


def test_a_fault_of_the_server_is_answered_like_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OneTalk, "is_busy", property(lambda _: 1 // 0))

    async def during(house: House) -> None:
        with pytest.raises(ZeroDivisionError):  # for the log
            await house.ask("GET", "/ready")

        (reply,) = house.replies
        assert (reply.status, reply.code) == (500, "fault")
        assert {key: reply.headers[key.lower()] for key in HEADERS} == HEADERS

    House().run(during)


def test_who_was_turned_away_is_logged_and_never_the_token(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def during(house: House) -> None:
        await house.call(authorization="Bearer a-wrong-one")
        await house.call(authorization=f"Bearer {TOKEN}")

    House(token=TOKEN, is_local=False).run(during)
    assert "192.0.2.7 was turned away: unauthorized" in caplog.text
    assert "a-wrong-one" not in caplog.text
    assert TOKEN not in caplog.text


def test_a_talk_that_does_not_see_that_its_browser_is_gone_is_ended() -> None:
    async def during(house: House) -> None:
        await house.call()
        house.browsers[0].gone.set()
        await until(lambda: not house.talks.is_busy)

    House(chat=Chat(hangs=True)).run(during)


def test_an_offer_that_is_none_is_refused_and_takes_no_place() -> None:
    async def during(house: House) -> None:
        reply = await house.call(b"v=0 nonsense")
        assert (reply.status, reply.code) == (400, "invalid_offer")
        assert not house.talks.is_busy
        assert house.browsers[0].is_closed

    House().run(during)


def test_an_offer_of_another_type_or_without_end_is_refused() -> None:
    async def during(house: House) -> None:
        assert (await house.ask("POST", CALLS, b"offer", {"content-type": "text/plain"})).code == (
            "wrong_type"
        )
        assert (await house.call(b"x" * (MOST_BYTES + 1))).status == 413
        assert not house.browsers

    House().run(during)


def test_no_talk_begins_before_everything_is_loaded() -> None:
    async def during(house: House) -> None:
        house.talks.is_ready = False
        assert (await house.call()).code == "loading"
        assert (await house.ask("GET", "/ready")).status == 503
        assert (await house.ask("GET", "/health")).status == 200
        house.talks.is_ready = True
        assert (await house.ask("GET", "/ready")).status == 200

    House().run(during)


def test_a_stopping_server_lets_the_agent_say_goodbye_and_takes_no_new_talk() -> None:
    async def during(house: House) -> None:
        await house.call()
        await until(lambda: bool(house.chats))
        await house.talks.end()
        assert house.chats[0].has_said_goodbye
        assert not house.talks.is_busy
        assert (await house.call()).code == "loading"

    House().run(during)


def test_a_talk_that_does_not_end_when_it_is_cut_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serve_talk, "GOODBYE_S", 0.01)
    monkeypatch.setattr(serve_talk, "CUT_S", 0.05)

    async def during(house: House) -> None:
        await house.call()
        await until(lambda: bool(house.chats))
        async with asyncio.timeout(2):
            assert not await house.talks.end()

        house.chats[0].let_go.set()  # or the test would wait for it
        await until(lambda: not house.talks.is_busy)
        assert await house.talks.end()

    House(chat=Chat(ignores_cuts=True)).run(during)


def test_a_call_that_is_answered_while_the_server_stops_takes_no_place() -> None:
    async def during(house: House) -> None:
        house.answers = asyncio.Event()
        calling = asyncio.ensure_future(house.call())
        await until(lambda: bool(house.browsers))
        assert await house.talks.end()
        house.answers.set()
        assert (await calling).code == "loading"
        assert house.browsers[0].is_closed
        assert not house.talks.is_busy

    House().run(during)


def test_a_second_signal_does_not_wait_for_the_goodbye() -> None:
    async def during(house: House) -> None:
        await house.call()
        await until(lambda: bool(house.chats))
        ending = asyncio.ensure_future(house.talks.end())
        await asyncio.sleep(0)
        house.talks.cut()
        await ending
        assert not house.talks.is_busy

    House(chat=Chat(hangs=True)).run(during)


# --- who is let in ---


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080"])
def test_this_machine_s_names_are_answered(host: str) -> None:
    async def during(house: House) -> None:
        assert (await house.ask("GET", "/health", host=host)).status == 200

    House().run(during)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::2]"])
def test_a_foreign_name_that_was_pointed_here_gets_nothing(host: str) -> None:
    async def during(house: House) -> None:
        for path in ("/", "/page.json", "/web/app.js"):
            assert (await house.ask("GET", path, host=host)).code == "wrong_host"

    House().run(during)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:9999"])
def test_a_page_of_another_origin_cannot_start_or_end_a_talk(origin: str) -> None:
    async def during(house: House) -> None:
        assert (await house.call(origin=origin)).code == "foreign_origin"
        place = (await house.call(origin="http://127.0.0.1:8080")).headers["location"]
        assert (await house.ask("POST", f"{place}/hangup", b"", {"origin": origin})).status == 403
        assert house.talks.is_busy

    House().run(during)


def test_without_the_token_nothing_is_done() -> None:
    async def during(house: House) -> None:
        for told in ({}, {"authorization": "Bearer wrong"}, {"authorization": f"Basic {TOKEN}"}):
            reply = await house.call(**told)
            assert (reply.status, reply.code) == (401, "unauthorized")

        assert (await house.ask("POST", f"{CALLS}/call_1/hangup")).status == 401
        assert (await house.call(authorization=f"Bearer {TOKEN}")).status == 201

    House(token=TOKEN, is_local=False).run(during)


def test_every_answer_keeps_the_page_to_itself() -> None:
    async def during(house: House) -> None:
        for path in ("/", "/web/app.js", "/web/none.js", "/nothing", "/page.json"):
            reply = await house.ask("GET", path)
            assert {key: reply.headers[key.lower()] for key in HEADERS} == HEADERS

        assert (await house.ask("GET", "/", host="evil.example")).headers["referrer-policy"]

    House().run(during)


def test_no_file_beside_the_page_is_given_out() -> None:
    async def during(house: House) -> None:
        for path in ("/web/../serve.py", "/web/%2e%2e/serve.py", "/serve.py"):
            assert (await house.ask("GET", path)).status == 404

    House().run(during)


def test_the_page_and_what_it_needs_come_from_this_server_alone() -> None:
    web = Path(serve.__file__).parent / "web"
    files = [file.read_text("utf-8") for file in web.iterdir()]
    assert len(files) >= 9
    assert not [text for text in files if "https://" in text.replace("https://www.w3.org", "")]
    page = (web / "index.html").read_text("utf-8")
    assert "style=" not in page
    assert page.count("<script") == 1


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("box", False)],
)
def test_what_is_reached_from_this_machine_only(host: str, expected: bool) -> None:
    assert is_local(host) is expected


# --- the command ---


def settings(*overrides: str) -> Any:
    return load(None, overrides).settings.serve


def test_an_address_that_others_reach_needs_a_token() -> None:
    with pytest.raises(UsageError, match="ATONCE_TOKEN"):
        serve._access(settings("serve.host=0.0.0.0"), "")

    assert serve._access(settings("serve.host=0.0.0.0"), TOKEN) == Access(False, TOKEN)
    assert serve._access(settings(), "") == Access(True, "")


@pytest.mark.parametrize("token", ["short", "with blanks in it", "nicht-ascii-ü"])
def test_a_token_that_protects_nothing_is_refused(token: str) -> None:
    with pytest.raises(UsageError, match="at least 8 characters"):
        serve._access(settings(), token)


def test_without_tls_the_warning_says_what_follows(capsys: pytest.CaptureFixture[str]) -> None:
    serve._say_where(settings("serve.host=0.0.0.0"), Access(False, TOKEN), 8080)
    told = capsys.readouterr().err
    assert f"http://{socket.gethostname()}:8080/\n" in told
    assert TOKEN not in told  # standard error is no terminal here: perhaps a log
    assert "WARNING" in told
    assert "--certificate" in told

    serve._say_where(settings(), Access(True), 8080)
    assert capsys.readouterr().err == "atonce: open http://127.0.0.1:8080/\n"


def test_a_third_signal_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    exits: list[int] = []
    monkeypatch.setattr(os, "_exit", exits.append)

    async def during(house: House) -> None:
        await house.call()
        await until(lambda: bool(house.chats))
        server = serve._Server(uvicorn.Config(house.ask))
        serve._stop(server, house.talks)
        assert (server.should_exit, server.force_exit) == (True, False)
        serve._stop(server, house.talks)
        assert server.force_exit
        await until(lambda: not house.talks.is_busy)
        assert not exits
        serve._stop(server, house.talks)
        assert exits == [130]

    House(chat=Chat(hangs=True)).run(during)


def test_a_taken_port_is_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(AtonceError, match=f"port {port}.*--port"),
            serve._listening(settings(f"serve.port={port}")),
        ):
            pass


def test_a_certificate_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    for name in ("a.pem", "b.pem"):
        (tmp_path / name).write_text("nothing")

    files = (f"serve.tls_certificate={tmp_path}/a.pem", f"serve.tls_key={tmp_path}/b.pem")
    with pytest.raises(UsageError, match=r"a\.pem.*b\.pem"):
        serve._check_files(settings(*files))


@pytest.mark.models
@pytest.mark.parametrize("moment", ["atonce: open", "atonce: ready"])
def test_the_command_serves_and_sigterm_ends_it_in_order(moment: str) -> None:
    """While it still loads, and later."""
    with subprocess.Popen(
        [sys.executable, "-m", "atonce.agent.cli", "serve", "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if line.startswith(moment):
                process.send_signal(signal.SIGTERM)

    assert process.returncode == 0
    assert lines[0].startswith("atonce: open http://127.0.0.1:")
    assert lines[-1] == "atonce: stopping; once more to stop at once\n"
