"""What systemd is told (sd_notify): ready, still alive, stopping. Without systemd, nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Mapping
from typing import NoReturn


class Supervisor:
    """Whoever started this program and watches over it."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        """environment: systemd names its socket there, and how often it wants a sign of life."""
        address = environment.get("NOTIFY_SOCKET", "")
        # An address that begins with @ is none in the file system (Linux).
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        wanted = environment.get("WATCHDOG_USEC", "")
        self._every_s = int(wanted) / 2e6 if wanted.isdigit() else 0.0

    def tell(self, word: str) -> None:
        """READY=1, STOPPING=1, or STATUS= with a sentence. Never fails: the talk matters more."""
        if not self._address:
            return

        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as line,
        ):
            line.sendto(word.encode(), self._address)

    async def keep_told(self) -> NoReturn:
        """Give signs of life for ever, from the event loop: they stop where it hangs."""
        while True:
            if self._every_s:
                self.tell("WATCHDOG=1")

            await asyncio.sleep(self._every_s or 3600.0)
