"""`atonce serve`: the page in the browser, and the talk behind it.

Rule 1. The server answers from the first moment (`/health`); a talk begins once all is loaded
        (`/ready`).
Rule 2. SIGTERM and Ctrl-C end politely: no new talk, the agent says goodbye, the port is closed. A
        second one cuts the talk; a third one does not wait even for one that hangs.
Rule 3. What comes from outside is small, of one kind, and checked before anything is done with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import ssl
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import uvicorn

from atonce.agent.boundary import tell_strays
from atonce.agent.metrics import Metrics, observers_of, watching
from atonce.agent.realtime_events import Opening
from atonce.agent.serve_access import SHORTEST_TOKEN, Access, is_local
from atonce.agent.serve_app import Page, app
from atonce.agent.serve_talk import OneTalk, Talk
from atonce.agent.stopping import STOPPED, leave, signals
from atonce.agent.webrtc import Limits, WebRtc
from atonce.config.errors import AtonceError, UsageError, first_fault
from atonce.config.load import load

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from atonce.agent.engines import Engines
    from atonce.config.schema import ServeSettings, Settings

TOKEN_VARIABLE: Final = "ATONCE_TOKEN"
HANGING: Final = AtonceError("a talk did not end when it was cut; the server ended without it")
MOST_CONNECTIONS: Final = 200  # a browser opens six; more than this are refused, not waited for


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says; None or empty: as in the settings."""

    host: str | None = None
    """Address to listen at."""
    port: int | None = None
    """Port to listen at; 0: any that is free."""
    token: str = ""
    """What clients must send."""
    certificate: Path | None = None
    """For https (PEM)."""
    key: Path | None = None
    """The certificate's."""


def run(options: Options, config: Path | None, overrides: Sequence[str]) -> int:
    """Serve until a signal ends it; the exit code."""
    overrides = [*overrides, *_overrides(options)]
    settings = load(config, overrides).settings
    serve = settings.serve
    token = options.token or os.environ.get(TOKEN_VARIABLE, "")
    access = _access(serve, token)
    _check_files(serve)

    from atonce.agent import engines

    engines.ensure_models(settings, say=_say)

    with _listening(serve) as listener, watching(settings) as watched:
        try:
            is_loaded = asyncio.run(_serve(settings, serve, access, listener, watched))
        except ExceptionGroup as group:
            raise first_fault(group) from None

    if not is_loaded:  # engines load in threads that nothing can stop, and that Python waits for
        leave(None)

    return 0


def _overrides(options: Options) -> list[str]:
    """What the command line says, as settings: they are checked like all others."""
    told = {
        "host": options.host,
        "port": options.port,
        "tls_certificate": options.certificate,
        "tls_key": options.key,
    }
    return [f"serve.{key}={value}" for key, value in told.items() if value is not None]


async def _serve(
    settings: Settings,
    serve: ServeSettings,
    access: Access,
    listener: socket.socket,
    watched: Metrics | None,
) -> bool:
    """Until a signal ends it; whether everything had been loaded by then."""
    loop = asyncio.get_running_loop()
    tell_strays(loop)
    engines: list[Engines] = []  # one, once they are loaded

    def connect(call_id: str) -> WebRtc:
        return WebRtc(_opening(settings, call_id), _limits(serve), clock=loop.time)

    def converse(browser: WebRtc) -> Talk:
        from atonce.agent.session import Session

        observers = observers_of(watched)
        return Session(settings, engines[0], browser, clock=loop.time, observers=observers)

    async def prepare() -> None:
        from atonce.agent.engines import load as load_engines

        engines.append(await load_engines(settings))
        talks.is_ready = True
        _say("ready")

    with contextlib.ExitStack() as watching_signals:
        async with asyncio.TaskGroup() as group:
            talks = OneTalk(connect, converse, group, clock=loop.time)
            page = Page(serve.stun, serve.ice_timeout_s, bool(access.token))
            server = _Server(_uvicorn(app(talks, access, page), serve))
            watching_signals.enter_context(signals(lambda: _stop(server, talks)))
            _say_where(serve, access, listener.getsockname()[1])
            loading = group.create_task(prepare())
            await server.serve(sockets=[listener])
            loading.cancel()

            if not await talks.end():
                leave(HANGING)

    return bool(engines)


class _Server(uvicorn.Server):
    """uvicorn, with the signals left to us: a talk has to be ended, too."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _stop(server: uvicorn.Server, talks: OneTalk) -> None:
    if server.force_exit:  # a talk that hangs is not waited for
        os._exit(STOPPED)

    if server.should_exit:
        server.force_exit = True
        talks.cut()
    else:
        _say("stopping; once more to stop at once")

    server.should_exit = True


def _uvicorn(application: ASGIApp, serve: ServeSettings) -> uvicorn.Config:
    return uvicorn.Config(
        application,
        log_config=None,  # the command line has set up logging
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        ssl_certfile=serve.tls_certificate or None,
        ssl_keyfile=serve.tls_key or None,
        timeout_graceful_shutdown=2,
        limit_concurrency=MOST_CONNECTIONS,
    )


def _access(serve: ServeSettings, token: str) -> Access:
    """Who may use this server; UsageError where anybody could."""
    here = is_local(serve.host)

    if not token and not here:
        raise UsageError(
            f"at {serve.host} everybody in the network could talk with the agent, so a token is "
            f"wanted: set {TOKEN_VARIABLE} (for example {secrets.token_urlsafe(16)}) or --token"
        )

    if token and (len(token) < SHORTEST_TOKEN or not token.isascii() or " " in token):
        raise UsageError(
            f"a token has at least {SHORTEST_TOKEN} characters, all of them ASCII, without blanks"
        )

    return Access(here, token)


def _check_files(serve: ServeSettings) -> None:
    """Refuse a certificate that does not serve, before anything is loaded."""
    if not serve.tls_certificate:
        return

    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
            serve.tls_certificate, serve.tls_key
        )
    except OSError as fault:  # ssl.SSLError is one, too
        raise UsageError(
            f"the certificate {serve.tls_certificate} with the key {serve.tls_key} cannot be used: "
            f"{fault}"
        ) from fault


@contextlib.contextmanager
def _listening(serve: ServeSettings) -> Iterator[socket.socket]:
    """The bound socket; AtonceError where the address is taken or not ours."""
    try:
        family, kind, *_, address = socket.getaddrinfo(
            serve.host, serve.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind)
    except OSError as fault:
        raise _unheard(serve, fault) from fault

    with listener:
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError as fault:
            raise _unheard(serve, fault) from fault

        yield listener


def _unheard(serve: ServeSettings, fault: OSError) -> AtonceError:
    return AtonceError(
        f"cannot listen at {serve.host} port {serve.port}: {fault.strerror}; choose another with "
        "--host and --port"
    )


def _opening(settings: Settings, call_id: str) -> Opening:
    llm = settings.llm
    watched = settings.watchdog.enabled
    return Opening(call_id, llm.engine, llm.steps, llm.min_steps, llm.max_steps, watched)


def _limits(serve: ServeSettings) -> Limits:
    return Limits(serve.stun, serve.ice_timeout_s, serve.close_after_s)


def _say_where(serve: ServeSettings, access: Access, port: int) -> None:
    """Where to open the page, and what is not safe about it."""
    host = socket.gethostname() if serve.host in ("0.0.0.0", "::") else serve.host
    name = f"[{host}]" if ":" in host else host
    scheme = "https" if serve.tls_certificate else "http"
    # A person may see the token, a log may not.
    behind = f"#token={access.token}" if access.token and sys.stderr.isatty() else ""
    _say(f"open {scheme}://{name}:{port}/{behind}")

    if not access.is_local and not serve.tls_certificate:
        _say(
            "WARNING: without TLS the token and every message can be read on the network, and "
            "browsers on other machines refuse the microphone: give --certificate and --key, or "
            "put a proxy with https in front"
        )


def _say(line: str) -> None:
    sys.stderr.write(f"atonce: {line}\n")
    sys.stderr.flush()
