"""The one place in front of the agent: who has it, who is told "busy", and how it becomes free.

Rule 1. One person at a time. The place is taken from the offer on, and free when the talk's last
        task has ended: the next one meets nothing of the talk before.
Rule 2. A talk ends by itself (session), by the client (hang up, closed tab, lost network) or by the
        server (end); each way frees the place, whatever fails meanwhile. They may come together:
        a connection that is being closed is not cancelled.
Rule 3. Nothing is waited for without a limit: a talk that does not end when it is cut is told of,
        and the server ends without it.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from atonce.agent.events import ErrorRaised, TalkEnded
from atonce.agent.webrtc import Talker, WebRtc
from atonce.config.errors import AtonceError, first_fault

logger = logging.getLogger(__name__)

GOODBYE_S: Final = 9.0  # a session says goodbye within 8 s; whatever hangs then is cut
CUT_S: Final = 5.0  # a talk that is cut has ended by then: its connection closes within 3.5 s
SEEING_S: Final = 0.5  # a talk sees at once that its browser is gone; one that hangs never does


class BusyError(AtonceError):
    """Somebody else is talking with the agent."""


class LoadingError(AtonceError):
    """The agent cannot talk yet."""


class BrokenError(AtonceError):
    """A talk cannot be had, through no fault of the client."""


class Talk(Talker, Protocol):
    """One conversation; a Session is one."""

    async def run(self) -> None:
        """Until the talk is over."""
        ...

    def end(self) -> None:
        """Say goodbye, and then be over."""
        ...


@dataclass(slots=True)
class _Call:
    id: str
    browser: WebRtc
    task: asyncio.Task[None] | None = None
    talk: Talk | None = None
    is_closing: bool = False

    def cancel(self) -> None:
        """End it at once, unless it is ending already."""
        if self.task is not None and not self.is_closing:
            self.task.cancel()


class OneTalk:
    """Holds the one talk of a server."""

    def __init__(
        self,
        connect: Callable[[str], WebRtc],
        converse: Callable[[WebRtc], Talk],
        group: asyncio.TaskGroup,
        *,
        clock: Callable[[], float],
    ) -> None:
        """connect: a transport for a call of this id. converse: the talk over a transport."""
        self.is_ready = False
        """Set when everything is loaded."""
        self._connect = connect
        self._converse = converse
        self._group = group
        self._clock = clock
        self._call: _Call | None = None

    @property
    def is_busy(self) -> bool:
        """Somebody has the place."""
        return self._call is not None

    async def begin(self, offer: str, *, is_page: bool = False) -> tuple[str, str]:
        """The call's id and the answer to its offer; UsageError where it is none. BusyError,
        LoadingError, BrokenError. is_page: it will say that it is there until it is connected."""
        self._check_ready()

        if self._call is not None:
            raise BusyError("somebody else is talking with the agent: try again later")

        call_id = f"call_{secrets.token_hex(8)}"
        call = self._call = _Call(call_id, self._connect(call_id))

        try:
            answer = await call.browser.answer(offer)
            self._check_ready()  # the server may have been stopped meanwhile
            talk = call.talk = self._conversed(call.browser)
        except BaseException:
            self._call = None
            await call.browser.close()
            raise

        if is_page:
            call.browser.note_page()

        call.task = self._group.create_task(self._talk(call, talk))
        call.task.add_done_callback(self._leave)
        await asyncio.sleep(0)  # a task that is cancelled before its first step closes nothing
        return call_id, answer

    def note_page(self, call_id: str) -> bool:
        """The page of a call says that it is there; whether that call has the place."""
        if self._call is None or self._call.id != call_id:
            return False

        self._call.browser.note_page()
        return True

    def hang_up(self, call_id: str) -> bool:
        """The client ends its call; whether it was the one that has the place."""
        if self._call is None or self._call.id != call_id or self._call.task is None:
            return False

        self._call.cancel()
        return True

    async def end(self) -> bool:
        """The server stops: the agent says goodbye, then the talk is over; whether it is."""
        self.is_ready = False
        call = self._call

        if call is None or call.task is None:
            return True

        if call.talk is not None:
            call.talk.end()
            await asyncio.wait([call.task], timeout=GOODBYE_S)

        call.cancel()
        ended, _ = await asyncio.wait([call.task], timeout=CUT_S)
        return bool(ended)

    async def _run(self, talk: Talk, browser: WebRtc) -> None:
        """Until it is over; one that does not see that its browser is gone is ended."""
        async with asyncio.TaskGroup() as group:
            running = group.create_task(talk.run())
            watching = group.create_task(browser.gone.wait())
            await asyncio.wait([running, watching], return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait([running], timeout=SEEING_S)
            running.cancel()
            watching.cancel()

    def cut(self) -> None:
        """End the talk at once, if there is one."""
        if self._call is not None:
            self._call.cancel()

    def _check_ready(self) -> None:
        if not self.is_ready:
            raise LoadingError("the agent is still loading its models: try again in a moment")

    def _leave(self, _: object) -> None:
        """The task has ended, in whatever way."""
        self._call = None

    def _conversed(self, browser: WebRtc) -> Talk:
        """The talk, before the answer: what fails here can still be said over http."""
        try:
            talk = self._converse(browser)
        except Exception as fault:
            logger.exception("no talk can be begun")
            raise BrokenError(f"no talk can be begun: {first_fault(fault)}") from fault

        browser.obey_with(talk)
        return talk

    async def _talk(self, call: _Call, talk: Talk) -> None:
        try:
            await self._run(talk, call.browser)
        except asyncio.CancelledError:
            pass  # hung up, or the server stops at once: the talk has said its last word
        except Exception as fault:  # the server goes on, whatever happened to this talk
            logger.exception("the talk failed")
            message = f"the talk failed: {first_fault(fault)}"
            call.browser.publish(ErrorRaised(self._clock(), message))
            call.browser.publish(TalkEnded(self._clock(), "error"))
        finally:
            call.is_closing = True
            await call.browser.close()
