"""What a session needs of the facts: what they are now, and to be asked before a reply."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Facts(Protocol):
    """Facts that may change while the agent runs; live_facts.LiveFacts is one."""

    def facts(self) -> Mapping[str, str]:
        """All of them as they are known now."""
        ...

    async def ask(self, question: str) -> None:
        """Find out what is near the question; returns when that is done or given up."""
        ...

    def undisturbed(self) -> AbstractContextManager[None]:
        """Inside, no prefix is read anew: the processor belongs to a reply."""
        ...


class FixedFacts:
    """Facts that do not change."""

    def __init__(self, facts: Mapping[str, str]) -> None:
        self._facts = facts

    def facts(self) -> Mapping[str, str]:
        """All of them."""
        return self._facts

    async def ask(self, question: str) -> None:
        """Nothing is to be found out."""

    def undisturbed(self) -> AbstractContextManager[None]:
        """Nothing disturbs."""
        return nullcontext()


_: type[Facts] = FixedFacts
