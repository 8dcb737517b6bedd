"""Who may use the browser's server: the checks of a request, and what every answer tells browsers
(pure).

Rule 1. Where the server listens at this machine only, it answers to this machine's names only: a
        foreign name that was pointed here (DNS rebinding) gets nothing.
Rule 2. A talk is started by our own page, or by a program; never by a page of another origin.
Rule 3. Where there is a token, nothing that costs anything is done without it. It never stands in
        an address, so no log and no history holds it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final

SHORTEST_TOKEN: Final = 8  # characters; what is shorter is found by trying
HEADERS: Final = {
    # Nothing but our own files, and no script in the page itself.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; media-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
_LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Denial:
    """Why a request is turned away."""

    status: int
    """The answer's number."""
    code: str
    """In a word."""
    message: str
    """In a sentence, with what to do."""


@dataclass(frozen=True, slots=True)
class Access:
    """The rules of one server."""

    is_local: bool
    """It listens at this machine only."""
    token: str = ""
    """What clients must send; empty: nothing."""

    def denial_of_host(self, headers: Mapping[str, str]) -> Denial | None:
        """For every request (rule 1)."""
        host = headers.get("host", "")

        if not self.is_local or _name(host) in _LOCAL_NAMES:
            return None

        message = f"this server is not {host!r}: open http://127.0.0.1 with its port"
        return Denial(421, "wrong_host", message)

    def denial_of_talk(self, headers: Mapping[str, str]) -> Denial | None:
        """For requests that do something (rules 2 and 3)."""
        origin = headers.get("origin")

        if origin is not None and origin.partition("://")[2] != headers.get("host"):
            message = f"a page of {origin!r} may not talk through this server: open its own page"
            return Denial(403, "foreign_origin", message)

        if self.token and not self._is_right(headers.get("authorization", "")):
            message = "a token is wanted: send Authorization: Bearer with the server's token"
            return Denial(401, "unauthorized", message)

        return None

    def _is_right(self, authorization: str) -> bool:
        kind, _, told = authorization.partition(" ")
        # Compared in a time that does not tell how much of it was right.
        is_same = compare_digest(told.strip().encode(), self.token.encode())
        return kind.lower() == "bearer" and is_same


def is_local(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _name(host: str) -> str:
    """A Host header without its port; IPv6 addresses stand in brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]

    return host.partition(":")[0].lower()
