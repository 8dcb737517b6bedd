"""The tasks of one session, and the place where the faults of its engines end.

Rule 1. Whatever fails is said once, in an event, and in the log: a fault that is known (an
        AtonceError) as its sentence, any other with its traceback.
Rule 2. All tasks end with the group that they live in; none is begun before it opens.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from atonce.agent.events import ErrorRaised
from atonce.config.errors import AtonceError

logger = logging.getLogger(__name__)

Work = Coroutine[Any, Any, None]
_SAME_FAULT_S = 5.0
"""The same fault is told once in so many seconds: a broken ear fails fifty times a second."""


def tell_strays(loop: asyncio.AbstractEventLoop) -> None:
    """What fails in a library's own task, where nobody waits for it (aiortc sends what is left to
    a browser that has died), is told in one line from now on, a lost connection only on request."""

    def told(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        del loop
        error = context.get("exception")
        level = logging.DEBUG if isinstance(error, ConnectionError) else logging.WARNING
        said = f"{type(error).__name__}: {error}" if error else "no exception"
        logger.log(level, "%s (%s)", context["message"], said)

    loop.set_exception_handler(told)


class Boundary:
    """Runs a session's tasks."""

    def __init__(self, clock: Callable[[], float], publish: Callable[[ErrorRaised], None]) -> None:
        self._clock, self._publish = clock, publish
        self._group: asyncio.TaskGroup | None = None
        self._tasks: dict[asyncio.Task[None], int] = {}
        self._last_fault = ("", -_SAME_FAULT_S)

    @property
    def is_open(self) -> bool:
        """Tasks can be begun."""
        return self._group is not None

    def open(self, group: asyncio.TaskGroup) -> None:
        """Tasks live in this group from now on."""
        self._group = group

    def close(self) -> None:
        """End all tasks."""
        self._group = None

        for task in [*self._tasks]:
            task.cancel()

    def spawn(
        self, work: Work, *, number: int = 0, failed: Callable[[], None] | None = None
    ) -> None:
        """Begin a task. number: of what it says, to cancel it by; 0: of nothing. failed: called
        where it fails, after that was said."""
        if self._group is None:
            work.close()
            return

        task = self._group.create_task(self._run(work, failed))
        self._tasks[task] = number
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    def cancel(self, number: int) -> None:
        """End the task of that number, if it still runs."""
        for task in [task for task, its in self._tasks.items() if its == number]:
            task.cancel()

    async def guard(self, work: Work) -> bool:
        """Do it here; whether it went well. The one place that catches everything."""
        try:
            await work
        except Exception as error:
            self._complain(error)
            return False

        return True

    async def _run(self, work: Work, failed: Callable[[], None] | None) -> None:
        if not await self.guard(work) and failed is not None:
            failed()

    def _complain(self, error: Exception) -> None:
        message, now_s = str(error) or type(error).__name__, self._clock()
        before, at_s = self._last_fault

        if message == before and now_s - at_s < _SAME_FAULT_S:
            return

        self._last_fault = (message, now_s)
        is_known = isinstance(error, AtonceError)
        logger.error("%s", message, exc_info=None if is_known else error)
        self._publish(ErrorRaised(now_s, message))
