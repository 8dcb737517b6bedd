"""The tree of the project's exceptions; every message says what was wrong, where, and what to do.

AtonceError               shown to the user as one sentence, exit code 1
├── UsageError            the command line was wrong, exit code 2
├── SettingsError         a settings file or --set was wrong: file, line, key, nearest right key
├── AudioError            an audio file or device cannot be used
├── ModelError            model files are missing, damaged or do not fit
└── EngineError           an engine failed while it worked
    └── ReplyError        one reply came to nothing; others go on
"""

from __future__ import annotations


class AtonceError(Exception):
    """A fault that the user can act on: one sentence, no traceback."""

    exit_code = 1


def first_fault(fault: BaseException) -> BaseException:
    """The first fault itself, out of the groups that it is wrapped in: users are told one."""
    return first_fault(fault.exceptions[0]) if isinstance(fault, BaseExceptionGroup) else fault


class UsageError(AtonceError):
    """The command line asked for something that does not exist or does not fit."""

    exit_code = 2


class SettingsError(AtonceError):
    """A setting is unknown, of the wrong type, out of range or written twice."""

    exit_code = 2


class AudioError(AtonceError):
    """An audio file or device that cannot be read, written or heard."""


class ModelError(AtonceError):
    """Model files that are missing, damaged or of the wrong shape."""


class EngineError(AtonceError):
    """An engine that failed while it worked."""


class ReplyError(EngineError):
    """One reply that could not be written: something else is said, and other replies go on."""
