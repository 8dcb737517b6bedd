"""Live facts: found out in time or not at all, once at a time, and the last value stays."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from atonce.agent import virtual_time
from atonce.agent.live_book import LONGEST_VALUE, LiveBook, ValueRefusedError, value_of
from atonce.agent.live_facts import LiveFacts
from atonce.agent.live_sources import MOST_BYTES, SourceError, Sources, check
from atonce.config.agent_settings import AgentSettings, LiveFact
from atonce.config.errors import EngineError, SettingsError
from atonce.config.load import load

QUEUE = {"command": ["queue"], "sentence": "The wait at the entrance is {value} minutes."}


def settings_of(tmp_path: Path, live: Mapping[str, object]) -> AgentSettings:
    path = tmp_path / "place.yaml"
    agent = {"facts": {"hours": "We open at 9 am."}, "live_facts": live}
    path.write_text(json.dumps({"agent": agent}), "utf-8")
    return load(path, with_tuned=False).settings.agent


def fact(**given: object) -> LiveFact:
    return LiveFact.model_validate_json(json.dumps({"sentence": "It is {value}.", **given}))


# What is known, and what is to be found out when.


def test_a_fact_has_no_sentence_before_it_was_found() -> None:
    book = LiveBook({"hours": "Open."}, {"wait": fact(command=["x"])})
    assert dict(book.facts()) == {"hours": "Open."}

    assert book.found("wait", " 12\n", 0.0)
    assert dict(book.facts()) == {"hours": "Open.", "wait": "It is 12."}
    assert not book.found("wait", "12", 1.0), "the same value is no news"


def test_a_live_fact_takes_the_place_of_the_fact_with_its_name() -> None:
    book = LiveBook({"wait": "Nobody knows.", "hours": "Open."}, {"wait": fact(command=["x"])})
    assert book.facts()["wait"] == "Nobody knows."

    book.found("wait", "12", 0.0)
    assert list(book.facts().items()) == [("wait", "It is 12."), ("hours", "Open.")]


def test_a_timer_is_due_at_once_and_then_every_so_often() -> None:
    book = LiveBook({}, {"a": fact(command=["x"], every_s=60), "b": fact(http="http://x/y")})
    assert book.due(5.0) == ("a", "b")

    book.begun("a", 5.0)
    assert book.due(500.0) == ("b",), "it still runs"
    book.ended("a")
    assert book.due(64.0) == ("b",)
    assert book.due(65.0) == ("a", "b")

    book.begun("b", 65.0)
    assert book.next_due_s() == 65.0


def test_a_fact_that_is_asked_for_is_near_a_question_that_shares_a_word_with_it() -> None:
    asked = {"queue_time": LiveFact.model_validate({**QUEUE, "command": ("x",), "when": "asked"})}
    book = LiveBook({}, asked)

    assert book.near("How long do I have to wait?", 0.0) == ("queue_time",)
    assert book.near("Is there a queue?", 0.0) == ("queue_time",)
    assert book.near("Where is the lift?", 0.0) == ()
    assert book.near("", 0.0) == ()
    assert book.due(1000.0) == ()


def test_a_fresh_value_is_not_found_out_again() -> None:
    book = LiveBook({}, {"wait": fact(command=["x"], when="asked", every_s=30)})
    book.begun("wait", 0.0)
    assert book.near("wait?", 1.0) == ("wait",), "whoever asks meanwhile waits for the same one"

    book.found("wait", "3", 2.0)
    book.ended("wait")
    assert book.near("wait?", 31.0) == ()
    assert book.near("wait?", 32.0) == ("wait",)


def test_a_fact_that_failed_rests_before_it_is_asked_for_again() -> None:
    book = LiveBook({}, {"wait": fact(command=["x"], when="asked")})
    book.begun("wait", 0.0)
    assert book.failed("wait")
    assert book.near("wait?", 1.0) == (), "it was given up and still runs: nobody waits for it"

    book.ended("wait")
    assert book.near("wait?", 9.0) == ()
    assert book.near("wait?", 10.0) == ("wait",)

    book.begun("wait", 10.0)
    assert not book.failed("wait"), "told once"
    book.found("wait", "3", 11.0)
    assert book.failed("wait"), "told again after it was found"
    assert book.facts()["wait"] == "It is 3.", "the last value stays"


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("  12 \r\n", "", "12"),
        ("sunny\tand\u202e warm\n\n", "", "sunny and warm"),
        ('{"now": {"degrees": 21.5}}', "now.degrees", "21.5"),
        ('\ufeff[{"open": true}]', "0.open", "true"),
        ('{"a": "b\\nc"}', "a", "b c"),
    ],
)
def test_a_value_is_one_clean_line(text: str, field: str, value: str) -> None:
    assert value_of(text, field) == value


@pytest.mark.parametrize(
    ("text", "field", "said"),
    [
        ("\x00 \n", "", "it gave nothing"),
        ("NaN", "", "it gave NaN"),
        ("x" * (LONGEST_VALUE + 1), "", "201 characters, and at most 200 can be said; name a part"),
        ("<html>", "a", "it gave no JSON to find a in"),
        ("[" * 100_000, "a", "it gave no JSON to find a in"),
        ('{"a": {"b": 1}}', "a.c", "its JSON has no a.c: c is missing"),
        ('{"a": [1]}', "a.1", "its JSON has no a.1: 1 is missing"),
        ('{"a": [1]}', "a", "a of its JSON is more than one value"),
        ('{"a": null}', "a", "a of its JSON is null"),
        ('{"a": NaN}', "a", "it gave nan"),
    ],
)
def test_what_is_no_value_is_refused(text: str, field: str, said: str) -> None:
    with pytest.raises(ValueRefusedError, match=said):
        value_of(text, field)


# Where values come from.


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A module of a user's own."""
    (tmp_path / "my_place.py").write_text(
        "import sys\n"
        "def waiting(): return 12\n"
        "def weather(): return {'now': {'degrees': 21.5}}\n"
        "def is_open(): return True\n"
        "def nothing(): return None\n"
        "def circle():\n    a = []\n    a.append(a)\n    return a\n"
        "def broken(): raise KeyError('tap')\n"
        "def leaving(): sys.exit(3)\n"
        "async def later(): return 1\n"
        "number = 5\n",
        "utf-8",
    )
    (tmp_path / "my_broken_place.py").write_text("raise RuntimeError('no tap')\n", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("my_place", None)


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("given", "value"),
    [
        ({"python": "my_place:waiting"}, "12"),
        ({"python": "my_place:is_open"}, "true"),
        ({"python": "my_place:weather", "field": "now.degrees"}, '{"now": {"degrees": 21.5}}'),
        ({"command": ["printf", "%s|", "a b", "$HOME", ";ls"]}, "a b|$HOME|;ls|"),
    ],
)
def test_functions_and_commands_give_values(given: dict[str, object], value: str) -> None:
    assert Sources().fetch(fact(**given)) == value


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"python": "my_place:broken"}, "my_place:broken failed: KeyError: 'tap'"),
        ({"python": "my_place:leaving"}, "my_place:leaving failed: SystemExit: 3"),
        ({"python": "my_place:nothing"}, "returned NoneType, not a text or a number"),
        ({"python": "my_place:weather"}, "returned dict, not a text or a number"),
        ({"python": "my_place:circle", "field": "a"}, "what my_place:circle returned is no JSON"),
        ({"command": ["sh", "-c", "echo oh >&2; echo no >&2; exit 3"]}, "exit code 3: no$"),
        ({"command": ["false"]}, "false ended with exit code 1$"),
        ({"command": ["sh", "-c", "kill -TERM $$"]}, "sh was ended by SIGTERM"),
        ({"command": ["printf", "\\377\\376"]}, "what it gave is no text in UTF-8"),
        ({"command": ["head", "-c", "3000000", "/dev/zero"]}, "it gave more than 1 MB"),
        ({"command": ["yes"]}, "it gave more than 1 MB"),
        ({"command": ["sleep", "9"], "limit_s": 0.1}, r"it took longer than 0.1 s \(limit_s\)"),
        (
            {"command": ["sh", "-c", "exec 1>&- 2>&-; sleep 9"], "limit_s": 0.1},
            "longer than 0.1 s",
        ),
    ],
)
def test_what_goes_wrong_is_one_sentence(given: dict[str, object], said: str) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        Sources().fetch(fact(**given))

    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("place")
def test_what_can_never_work_is_refused_at_the_start(tmp_path: Path) -> None:
    plain = tmp_path / "plain.txt"
    plain.write_text("", "utf-8")
    live = {
        "good": fact(python="my_place:waiting"),
        "web": fact(http="http://127.0.0.1:1/"),
        "a": fact(python="no_place:x"),
        "b": fact(python="my_broken_place:x"),
        "c": fact(python="my_place:wating"),
        "d": fact(python="my_place:number"),
        "e": fact(python="my_place:later"),
        "f": fact(command=["no-such-program", "-x"]),
        "g": fact(command=[str(plain)]),
    }

    with pytest.raises(SettingsError) as caught:
        check(live)

    cannot = "cannot be imported"
    said = "\n".join(
        (
            f"a: the module no_place {cannot}: ModuleNotFoundError: No module named 'no_place'",
            f"b: the module my_broken_place {cannot}: RuntimeError: no tap",
            "c: the module my_place has no wating",
            "d: my_place:number is no function",
            "e: my_place:later is async; a plain function is wanted",
            "f: there is no program no-such-program that could be run; check its name or path",
            f"g: there is no program {plain} that could be run; check its name or path",
        )
    )
    assert str(caught.value).replace("agent.live_facts.", "") == said


def test_a_program_that_is_none_is_said(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x00\x01")
    program.chmod(0o755)

    with pytest.raises(SourceError, match="cannot be run: exec format error"):
        Sources().fetch(fact(command=[str(program)]))


def test_a_command_that_runs_at_the_end_is_killed() -> None:
    sources = Sources()
    said: list[str] = []

    def wait() -> None:
        try:
            sources.fetch(fact(command=["sh", "-c", "echo on; sleep 60"], limit_s=60))
        except SourceError as error:
            said.append(str(error))

    thread = threading.Thread(target=wait)
    thread.start()

    while thread.is_alive():  # it may not have begun yet
        sources.close()
        thread.join(0.01)

    assert said == ["sh was ended by SIGKILL"]


MOVED = {"/moved": "/value", "/file": "file:///etc/hostname", "/round": "/round"}


class _Answers(BaseHTTPRequestHandler):
    """A server with all kinds of answers."""

    def do_GET(self) -> None:
        plain = "text/plain"

        match self.path:
            case "/value":
                self._answer(200, "zwölf".encode("latin-1"), f"{plain}; charset=latin-1")
            case "/odd":
                self._answer(200, b"12", f"{plain}; charset=klingon")
            case "/huge":
                self._answer(200, b"1" * (MOST_BYTES + 10), plain)
            case "/short":
                self._answer(200, b"12", plain, length=500)
            case "/slow":
                self.server.let_go.wait(10)  # type: ignore[attr-defined]
            case path:
                self._answer(302 if path in MOVED else 404, b"", plain, to=MOVED.get(path, ""))

    def _answer(
        self, code: int, body: bytes, kind: str, *, to: str = "", length: int | None = None
    ) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if length is None else length))

        if to:
            self.send_header("Location", to)

        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Its address."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running = ThreadingHTTPServer(("127.0.0.1", 0), _Answers)
    running.let_go = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=running.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.let_go.set()  # type: ignore[attr-defined]
    running.shutdown()
    thread.join()
    running.server_close()


def test_a_server_gives_values(server: str) -> None:
    fetch = Sources().fetch
    assert fetch(fact(http=f"{server}/value")) == "zwölf"
    assert fetch(fact(http=f"{server}/moved")) == "zwölf"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/nowhere", "/nowhere answered 404 Not Found$"),
        ("/odd", "what it gave is no text in KLINGON$"),
        ("/huge", "it gave more than 1 MB$"),
        ("/short", "the answer broke off$"),
        ("/file", "/file answered 302 .*not allowed"),
        ("/round", "/round answered 302 "),
        ("/slow", "it took longer than 0.2 s"),
    ],
)
def test_a_server_that_gives_none_is_said(server: str, path: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        Sources().fetch(fact(http=f"{server}{path}", limit_s=0.2 if path == "/slow" else 5))


def test_a_server_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    with pytest.raises(SourceError, match=r"http://127.0.0.1:1/x cannot be reached: .*refused"):
        Sources().fetch(fact(http="http://127.0.0.1:1/x"))


# At work.


class Clockwork:
    """Finds facts out in the virtual seconds that it is told, and counts."""

    def __init__(self, *answers: tuple[float, str | Exception]) -> None:
        self.answers = list(answers)
        self.begun_s: list[float] = []

    def __call__(self, _: LiveFact) -> asyncio.Future[str]:
        loop = asyncio.get_running_loop()
        self.begun_s.append(loop.time())
        seconds, value = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        future = loop.create_future()

        def end() -> None:
            if isinstance(value, str):
                future.set_result(value)
            else:
                future.set_exception(value)

        loop.call_later(seconds, end)
        return future


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command of the examples exists."""
    program = tmp_path / "bin" / "queue"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 7\n", "utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")


def talk(
    settings: AgentSettings,
    work: Clockwork,
    script: Callable[[LiveFacts], Coroutine[Any, Any, None]],
    renew: Callable[[Mapping[str, str]], Coroutine[Any, Any, None]] | None = None,
) -> None:
    """Runs live facts on a virtual clock while the script goes on."""

    async def run() -> None:
        clock = asyncio.get_running_loop().time
        live = LiveFacts(settings, clock=clock, start=work, renew=renew)

        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(live.run())
            await script(live)
            keeping.cancel()

    virtual_time.run(run())


def sentences(live: LiveFacts) -> list[str]:
    return list(live.facts().values())[1:]


def test_a_timer_finds_a_fact_out_again_and_again(tmp_path: Path) -> None:
    work = Clockwork((0.5, "7"), (0.5, "8"), (0.5, "8"))

    async def script(live: LiveFacts) -> None:
        await live.find_due()
        assert sentences(live) == ["The wait at the entrance is 7 minutes."]
        await asyncio.sleep(61)
        assert sentences(live) == ["The wait at the entrance is 8 minutes."]
        await asyncio.sleep(60)

    talk(settings_of(tmp_path, {"wait": {**QUEUE, "every_s": 60}}), work, script)
    assert work.begun_s == pytest.approx([0.0, 60.0, 120.0])


def test_a_failure_keeps_the_last_value_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    down = SourceError("it is down")
    work = Clockwork((0.1, "7"), (0.1, down), (9.0, "late"), (0.1, "\x00"), (0.1, "8"))
    caplog.set_level(logging.INFO)

    async def script(live: LiveFacts) -> None:
        await asyncio.sleep(35)
        assert sentences(live) == ["The wait at the entrance is 7 minutes."]
        await asyncio.sleep(10)
        assert sentences(live) == ["The wait at the entrance is 8 minutes."]

    talk(settings_of(tmp_path, {"wait": {**QUEUE, "every_s": 10}}), work, script)
    assert [record.message for record in caplog.records if "live" in record.name] == [
        "agent.live_facts.wait: it is down; its last value is kept",
        "agent.live_facts.wait: it is found again",
    ]


def test_a_question_waits_for_what_it_needs_and_for_nothing_else(tmp_path: Path) -> None:
    work = Clockwork((0.5, "7"))

    async def script(live: LiveFacts) -> None:
        loop = asyncio.get_running_loop()
        await live.ask("Where is the lift?")
        assert loop.time() == 0.0
        await live.ask("How long is the wait?")
        assert loop.time() == 0.5
        assert sentences(live) == ["The wait at the entrance is 7 minutes."]
        await live.ask("How long is the wait now?")
        assert loop.time() == 0.5

    talk(settings_of(tmp_path, {"wait": {**QUEUE, "when": "asked"}}), work, script)
    assert work.begun_s == [0.0]


def test_an_interruption_does_not_make_it_run_again(tmp_path: Path) -> None:
    work = Clockwork((1.5, "7"))

    async def script(live: LiveFacts) -> None:
        for _ in range(5):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await live.ask("How long is the wait?")

        assert sentences(live) == []
        await live.ask("How long is the wait?")
        assert asyncio.get_running_loop().time() == pytest.approx(1.5)
        assert sentences(live) == ["The wait at the entrance is 7 minutes."]

    talk(settings_of(tmp_path, {"wait": {**QUEUE, "when": "asked"}}), work, script)
    assert work.begun_s == [0.0]


def test_a_question_waits_no_longer_than_the_limit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    work = Clockwork((30.0, "7"))

    async def script(live: LiveFacts) -> None:
        loop = asyncio.get_running_loop()
        await live.ask("How long is the wait?")
        assert loop.time() == 2.0
        await asyncio.sleep(15)
        await live.ask("How long is the wait?")
        assert loop.time() == 17.0, "it still runs: nobody waits for it again"
        await asyncio.sleep(20)
        assert sentences(live) == [], "what came too late does not count"
        await live.ask("How long is the wait?")

    talk(settings_of(tmp_path, {"wait": {**QUEUE, "when": "asked"}}), work, script)
    assert work.begun_s == [0.0, 37.0]
    assert caplog.messages == [
        "agent.live_facts.wait: it took longer than 2 s (limit_s); it has no value yet"
    ]


def test_the_prefix_is_read_anew_when_a_value_changed_and_nobody_writes(tmp_path: Path) -> None:
    work = Clockwork((0.1, "7"), (0.1, "7"), (0.1, "8"))
    read: list[tuple[float, str]] = []

    async def renew(facts: Mapping[str, str]) -> None:
        read.append((asyncio.get_running_loop().time(), facts["wait"]))

        if len(read) == 1:
            raise EngineError("the writer is not well")

    async def script(live: LiveFacts) -> None:
        await asyncio.sleep(19)

        with live.undisturbed():
            await asyncio.sleep(3)

            with live.undisturbed():
                await asyncio.sleep(1)

            assert "8" in live.facts()["wait"], "a reply has it at once"
            await asyncio.sleep(1)

        await asyncio.sleep(20)

    talk(settings_of(tmp_path, {"wait": {**QUEUE, "every_s": 10}}), work, script, renew)
    assert read == [
        (0.1, "The wait at the entrance is 7 minutes."),
        (24.0, "The wait at the entrance is 8 minutes."),
    ]


def test_without_live_facts_there_is_nothing_to_do(tmp_path: Path) -> None:
    async def run() -> None:
        live = LiveFacts(settings_of(tmp_path, {}), clock=asyncio.get_running_loop().time)
        await live.run()
        await live.find_due()
        await live.ask("How long is the wait?")
        assert dict(live.facts()) == {"hours": "We open at 9 am."}

    virtual_time.run(run())


@pytest.mark.usefixtures("place")
def test_values_are_found_in_threads(tmp_path: Path) -> None:
    live_facts = {
        "wait": QUEUE,
        "queue": {"python": "my_place:waiting", "sentence": "{value} people queue."},
        "tap": {"python": "my_place:broken", "sentence": "{value}.", "when": "asked"},
    }

    async def run() -> None:
        settings = settings_of(tmp_path, live_facts)
        live = LiveFacts(settings, clock=asyncio.get_running_loop().time)
        await live.find_all()
        assert sentences(live) == ["The wait at the entrance is 7 minutes.", "12 people queue."]
        live.close()

    asyncio.run(run())


def test_a_function_that_hangs_does_not_keep_the_agent_from_ending(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my_hanging_place.py").write_text(
        "import threading\nlet_go = threading.Event()\ndef wait(): let_go.wait(); return 1\n",
        "utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    hangs = {"python": "my_hanging_place:wait", "sentence": "{value}.", "limit_s": 0.1}

    async def run() -> None:
        live = LiveFacts(settings_of(tmp_path, {"x": hangs}), clock=asyncio.get_running_loop().time)
        await live.find_all()
        assert sentences(live) == []

    asyncio.run(run())
    sys.modules["my_hanging_place"].let_go.set()


def test_a_fact_of_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no program no-such-program"):
        LiveFacts(
            settings_of(tmp_path, {"x": {**QUEUE, "command": ["no-such-program"]}}), clock=float
        )
