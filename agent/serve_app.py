"""The addresses of the browser's server, and what each answers.

    GET  /                                the page; its files under /web
    GET  /page.json                       what the page has to know before a talk
    GET  /health, /ready                  for whoever watches the server
    POST /v1/realtime/calls               an offer (application/sdp) → 201, Location, the answer
    POST /v1/realtime/calls/ID/hangup     the end of that call
    POST /v1/realtime/calls/ID/alive      the page is there, while it connects

Rule 1. A fault is answered with {"error": {"type", "code", "message"}}, as OpenAI's API has it.
Rule 2. Every answer, faults included, carries the headers that keep a page to itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from atonce.agent.serve_access import HEADERS, Access, Denial
from atonce.agent.serve_talk import BrokenError, BusyError, LoadingError, OneTalk
from atonce.config.errors import UsageError

logger = logging.getLogger(__name__)

WEB: Final = Path(__file__).parent / "web"
MOST_BYTES: Final = 65_536  # of an offer; a browser's has some 2 000
BODY_S: Final = (
    10.0  # within which an offer is sent; a slower client holds a connection for nothing
)
SDP: Final = "application/sdp"
IS_PAGE: Final = "atonce-page"  # a header: who sends it says `alive` until the connection stands


@dataclass(frozen=True, slots=True)
class Page:
    """What the page has to know before a talk."""

    stun: tuple[str, ...]
    """Servers that tell a machine its outer address."""
    ice_timeout_s: float
    """When it says that no connection came about."""
    needs_token: bool
    """Whether it has to ask for the token."""


def app(talks: OneTalk, access: Access, page: Page) -> ASGIApp:
    """The application; `talks` answers the calls."""
    routes = [
        Route("/", _index),
        Route("/page.json", _page(talks, page)),
        Route("/health", _health),
        Route("/ready", _ready(talks)),
        Route("/v1/realtime/calls", _call(talks, access), methods=["POST"]),
        Route("/v1/realtime/calls/{call}/hangup", _told(talks.hang_up, access), methods=["POST"]),
        Route("/v1/realtime/calls/{call}/alive", _told(talks.note_page, access), methods=["POST"]),
        Mount("/web", StaticFiles(directory=WEB)),
    ]
    inner = Starlette(
        routes=routes, exception_handlers={HTTPException: _unknown, Exception: _failed}
    )
    return _Guard(inner, access)  # outside of everything: a fault's answer passes it, too


class _Guard:
    """Turns foreign hosts away, and puts the headers on every answer."""

    def __init__(self, inner: ASGIApp, access: Access) -> None:
        self._inner = inner
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)

            await send(message)

        denial = self._access.denial_of_host(Headers(scope=scope))
        answer = self._inner if denial is None else _denied(denial)
        await answer(scope, receive, guarded)


async def _index(_: Request) -> Response:
    return FileResponse(WEB / "index.html")


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _ready(talks: OneTalk) -> Callable[[Request], object]:
    async def ready(_: Request) -> Response:
        if talks.is_ready:
            return JSONResponse({"status": "ready", "is_busy": talks.is_busy})

        return JSONResponse({"status": "loading"}, status_code=503, headers={"Retry-After": "2"})

    return ready


def _page(talks: OneTalk, page: Page) -> Callable[[Request], object]:
    async def told(_: Request) -> Response:
        known = {"stun": list(page.stun), "ice_timeout_s": page.ice_timeout_s}
        known |= {"needs_token": page.needs_token, "is_ready": talks.is_ready}
        return JSONResponse(known)

    return told


def _call(talks: OneTalk, access: Access) -> Callable[[Request], object]:
    async def call(request: Request) -> Response:
        offer = await _offered(request, access)
        begun = offer if isinstance(offer, Denial) else await _begun(talks, offer, request)

        if isinstance(begun, Denial):
            return _denied(begun)

        call_id, answer = begun

        if await request.is_disconnected():  # nobody is there any more to take the answer
            talks.hang_up(call_id)

        place = {"Location": f"/v1/realtime/calls/{call_id}"}
        return Response(answer, status_code=201, headers=place, media_type=SDP)

    return call


async def _offered(request: Request, access: Access) -> str | Denial:
    """The offer that a request brings."""
    denial = access.denial_of_talk(request.headers) or _unfit(request)

    if denial is not None:
        return _noted(request, denial)

    try:
        async with asyncio.timeout(BODY_S):
            offer = await _body(request)
    except TimeoutError:
        return Denial(408, "too_slow", f"an offer comes within {BODY_S:.0f} s")

    if len(offer) > MOST_BYTES:
        return Denial(413, "too_long", f"an offer has at most {MOST_BYTES} bytes")

    return offer.decode(errors="replace")


async def _begun(talks: OneTalk, offer: str, request: Request) -> tuple[str, str] | Denial:
    """The new call's id and the answer to its offer."""
    try:
        return await talks.begin(offer, is_page=IS_PAGE in request.headers)
    except UsageError as fault:
        return Denial(400, "invalid_offer", str(fault))
    except BusyError as fault:
        return Denial(503, "busy", str(fault))
    except LoadingError as fault:
        return Denial(503, "loading", str(fault))
    except BrokenError as fault:
        return Denial(500, "broken", str(fault))


def _told(tell: Callable[[str], bool], access: Access) -> Callable[[Request], object]:
    """What a client says about its own call; `tell` takes the call's id, and knows it or not."""

    async def told(request: Request) -> Response:
        denial = access.denial_of_talk(request.headers)

        if denial is None and not tell(request.path_params["call"]):
            denial = Denial(404, "no_such_call", "no call of this id is going on")

        return Response(status_code=200) if denial is None else _denied(_noted(request, denial))

    return told


def _noted(request: Request, denial: Denial) -> Denial:
    """Log who had no right to talk: never what they sent."""
    if denial.status in (401, 403):
        client = request.client.host if request.client else "unknown"
        logger.warning("%s was turned away: %s", client, denial.code)

    return denial


def _unfit(request: Request) -> Denial | None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()

    if kind == SDP:
        return None

    return Denial(415, "wrong_type", f"an offer is sent as Content-Type: {SDP}, not {kind!r}")


async def _body(request: Request) -> bytes:
    """As much of the body as shows that it is too long."""
    body = b""

    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            break

    return body


def _denied(denial: Denial) -> Response:
    kind = "server_error" if denial.status >= 500 else "invalid_request_error"
    error = {"type": kind, "code": denial.code, "message": denial.message}
    headers = {"Retry-After": "5"} if denial.status == 503 else {}
    headers |= {"WWW-Authenticate": "Bearer"} if denial.status == 401 else {}
    return JSONResponse({"error": error}, status_code=denial.status, headers=headers)


async def _failed(_: Request, __: Exception) -> Response:
    """Starlette logs the fault behind this answer."""
    return _denied(Denial(500, "fault", "the server failed at this; its log tells why"))


async def _unknown(request: Request, fault: Exception) -> Response:
    status = fault.status_code if isinstance(fault, HTTPException) else 500
    message = f"{request.method} {request.url.path}: there is nothing here for that"
    return _denied(Denial(status, "not_found", message))
