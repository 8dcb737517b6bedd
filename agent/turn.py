"""Whose turn it is: one table, and the page of prose before it. Pure."""

from __future__ import annotations

from atonce.agent.events import State
from atonce.agent.turn_events import Action, TurnEvent
from atonce.agent.turn_rules import TurnRules


class Turn:
    """Follows one talk; `receive` is told what happened and says what is to be done."""

    def __init__(self, rules: TurnRules) -> None:
        self._rules = rules

    @property
    def state(self) -> State:
        """Whose turn it is now."""
        raise NotImplementedError

    @property
    def due_s(self) -> float | None:
        """When the next time limit is, on the session's clock: TimePassed is wanted then."""
        raise NotImplementedError

    def receive(self, event: TurnEvent) -> list[Action]:
        """What is to be done about it, in this order."""
        raise NotImplementedError
