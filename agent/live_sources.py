"""Finds a live fact out: a Python function, a command without a shell, an HTTP value. Blocking.

Rule 1. Whatever goes wrong is one SourceError with one sentence; nothing else is raised.
Rule 2. No more is read than a value can need, whatever is sent.
Rule 3. A command that takes too long is killed with all that it started.
"""

from __future__ import annotations

import contextlib
import http.client
import inspect
import json
import os
import selectors
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import IO

from atonce.config.agent_settings import LiveFact
from atonce.config.errors import SettingsError

MOST_BYTES = 1_000_000
"""Of an answer; a value is in it, or it is not what was meant."""
_PIECE = 65_536
_LONGEST_HINT = 120
"""Characters of a program's complaint that are passed on."""


class SourceError(Exception):
    """A live fact was not found; the message says why, as the end of a sentence."""


class Sources:
    """Where live facts are found out; remembers what it has running."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()

    def fetch(self, fact: LiveFact) -> str:
        """The value as text, unclean; SourceError where there is none. May be called from several
        threads at once."""
        if fact.python:
            return _called(fact)

        if fact.command:
            return self._printed(fact.command, fact.limit_s)

        return _answered(fact.http, fact.limit_s)

    def close(self) -> None:
        """Kills the commands that still run: whoever waits for one gets a SourceError."""
        for process in tuple(self._running):
            _kill(process)

    def _printed(self, command: Sequence[str], limit_s: float) -> str:
        process = _started(command)
        self._running.add(process)

        with process:
            try:
                output, complaint = _read(process, limit_s)
            except SourceError:
                _kill(process)
                raise
            finally:
                self._running.discard(process)

        if process.returncode:
            hint = complaint.decode(errors="replace").strip().splitlines()
            said = f": {hint[-1][:_LONGEST_HINT]}" if hint else ""
            raise SourceError(f"{command[0]} {_ending(process.returncode)}{said}")

        return _text(output)


def check(facts: Mapping[str, LiveFact]) -> None:
    """Refuses, before anything runs, live facts that can never be found out (SettingsError)."""
    problems = []

    for name, fact in facts.items():
        try:
            if fact.python:
                _function(fact.python)
            elif fact.command:
                _program(fact.command)
        except SourceError as error:
            problems.append(f"agent.live_facts.{name}: {error}")

    if problems:
        raise SettingsError("\n".join(problems))


def _function(place: str) -> Callable[[], object]:
    """The function that is meant, imported now."""
    module, _, name = place.partition(":")

    try:
        found = getattr(import_module(module), name, None)
    except (Exception, SystemExit) as error:  # the module is the user's: anything may happen in it
        raise SourceError(f"the module {module} cannot be imported: {_named(error)}") from error

    if found is None:
        raise SourceError(f"the module {module} has no {name}")

    if not callable(found):
        raise SourceError(f"{place} is no function")

    if inspect.iscoroutinefunction(found):
        raise SourceError(f"{place} is async; a plain function is wanted")

    function: Callable[[], object] = found
    return function


def _called(fact: LiveFact) -> str:
    function = _function(fact.python)

    try:
        value = function()
    except (Exception, SystemExit) as error:  # the function is the user's
        raise SourceError(f"{fact.python} failed: {_named(error)}") from error

    if fact.field and isinstance(value, dict | list):
        return _as_json(value, fact.python)

    if not isinstance(value, str | int | float):
        raise SourceError(f"{fact.python} returned {type(value).__name__}, not a text or a number")

    return str(value).lower() if isinstance(value, bool) else str(value)


def _as_json(value: object, place: str) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise SourceError(f"what {place} returned is no JSON: {_named(error)}") from error


def _program(command: Sequence[str]) -> str:
    """The path of the program."""
    if found := shutil.which(command[0]):
        return found

    raise SourceError(f"there is no program {command[0]} that could be run; check its name or path")


def _started(command: Sequence[str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [_program(command), *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a group of its own, which can be killed as a whole
        )
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise SourceError(f"{command[0]} cannot be run: {reason}") from error


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Ends a program that nobody waited for yet, with all that it started."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


def _read(process: subprocess.Popen[bytes], limit_s: float) -> tuple[bytes, bytes]:
    """What a program writes until it ends, standard output and standard error."""
    assert process.stdout is not None
    assert process.stderr is not None
    until_s = time.monotonic() + limit_s
    written: dict[IO[bytes], bytearray] = {process.stdout: bytearray(), process.stderr: bytearray()}

    with selectors.DefaultSelector() as selector:
        for stream in written:
            selector.register(stream, selectors.EVENT_READ, written[stream])

        while selector.get_map():
            ready = selector.select(max(0.0, until_s - time.monotonic()))

            if not ready:
                raise SourceError(too_slow(limit_s))

            for key, _ in ready:
                piece = os.read(key.fd, _PIECE)
                key.data.extend(piece)

                if not piece:
                    selector.unregister(key.fileobj)
                elif len(key.data) > MOST_BYTES:
                    raise SourceError(_too_much())

    try:
        process.wait(max(0.0, until_s - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise SourceError(too_slow(limit_s)) from None

    return bytes(written[process.stdout]), bytes(written[process.stderr])


def _ending(code: int) -> str:
    if code > 0:
        return f"ended with exit code {code}"

    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"

    return f"was ended by signal {-code}"


def _answered(url: str, limit_s: float) -> str:
    request = urllib.request.Request(url, headers={"User-Agent": "atonce", "Accept": "*/*"})

    try:
        with _opener().open(request, timeout=limit_s) as answer:
            content = _body(answer, limit_s)
            encoding = answer.headers.get_content_charset("utf-8")
    except urllib.error.HTTPError as error:
        error.close()
        raise SourceError(f"{url} answered {error.code} {error.reason}".rstrip()) from error
    except TimeoutError as error:
        raise SourceError(too_slow(limit_s)) from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, TimeoutError):
            raise SourceError(too_slow(limit_s)) from error

        raise SourceError(f"{url} cannot be reached: {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SourceError(f"{url} cannot be read: {_named(error)}") from error

    return _text(content, encoding)


def _body(answer: http.client.HTTPResponse, limit_s: float) -> bytes:
    """All of an answer, however slowly it drips."""
    until_s = time.monotonic() + limit_s
    content = bytearray()

    while piece := answer.read1(_PIECE):
        content += piece

        if len(content) > MOST_BYTES:
            raise SourceError(_too_much())

        if time.monotonic() > until_s:
            raise SourceError(too_slow(limit_s))

    if answer.length:  # what is left of the announced length
        raise SourceError("the answer broke off")

    return bytes(content)


def _opener() -> urllib.request.OpenerDirector:
    """HTTP and HTTPS and nothing else, wherever an answer sends on to: no files, no FTP."""
    opener = urllib.request.OpenerDirector()

    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)

    return opener


def _text(content: bytes, encoding: str = "utf-8") -> str:
    try:
        return content.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        raise SourceError(f"what it gave is no text in {encoding.upper()}") from None


def too_slow(limit_s: float) -> str:
    """The end of the sentence about a fact that was not found in time."""
    return f"it took longer than {limit_s:g} s (limit_s)"


def _too_much() -> str:
    return f"it gave more than {MOST_BYTES // 1_000_000} MB"


def _named(error: BaseException) -> str:
    """An error in words; some have none."""
    text = " ".join(str(error).split())[:_LONGEST_HINT]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
