"""Keeps what people said out of the log of a program that runs unattended."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable

from atonce.agent.kiosk_news import unquoted


class Hush(logging.Filter):
    """Takes out what a record quotes, and of a traceback the fault's own words."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Every record passes, changed."""
        record.msg, record.args = unquoted(record.getMessage()), ()

        if record.exc_info and record.exc_info[1] is not None:
            fault = record.exc_info[1]
            frames = "".join(traceback.format_tb(fault.__traceback__))
            record.exc_text = f"{frames}{type(fault).__name__}"  # formatters take it as it is

        return True


def hush(handlers: Iterable[logging.Handler]) -> None:
    """Let these write nothing personal."""
    for handler in handlers:
        handler.addFilter(Hush())
