"""What a watchdog holds to, what it plans from, and what it decides. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from atonce.agent.ladder import Given
from atonce.agent.reply_length import speech_s
from atonce.agent.reply_rules import plan_of
from atonce.config.schema import Settings
from atonce.llm.protocols import Plan

SHORTEST_REPLY = 32
"""Positions: about twenty words. On 24 the writer's own replies are right in 65 of 100 turns, on 32
in 78, on 40 in 81 (llm/embedded/quality.json): a few milliseconds are worth less than those."""
LAST_REPLY = 24
"""Positions of a reply that there is no time for, and no fact: there every millisecond is late."""


@dataclass(frozen=True, slots=True)
class WatchdogRules:
    """What is wanted, and what may be given up for it."""

    first_audio_s: float
    """The budget: from the last sample of speech to the first of the reply."""
    plan: Plan
    """How a reply is written where time does not matter: K, canvas, rule, `min_steps`."""
    max_steps: int
    """K where nobody waits for it."""
    shortest: int = SHORTEST_REPLY
    """Canvas below which no reply is planned."""
    last: int = LAST_REPLY
    """Canvas of one that there is no time for."""
    endpoint_s: float = 0.0
    """Silence that must pass before a reply may be heard; 0: none, the question is handed over."""
    acknowledged_share: float = 0.1
    """Of the turns that cost steps, at most; 0: never."""
    acknowledgement_s: float = 1.2
    """How long the sentence lasts: no reply is heard before it is over."""

    @classmethod
    def from_settings(cls, settings: Settings, *, is_handed_over: bool = False) -> WatchdogRules:
        """is_handed_over: questions come whole, there is no endpoint to wait for."""
        watchdog, sentences = settings.watchdog, settings.agent.sentences
        may_acknowledge = watchdog.acknowledge and bool(sentences.one_moment)
        return cls(
            first_audio_s=watchdog.first_audio_ms / 1000,
            plan=plan_of(settings.llm),
            max_steps=settings.llm.max_steps,
            endpoint_s=0.0 if is_handed_over else settings.endpoint.complete_ms / 1000,
            acknowledged_share=watchdog.acknowledge_share if may_acknowledge else 0.0,
            acknowledgement_s=speech_s(sentences.one_moment),
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """How one reply is written, and why."""

    plan: Plan
    """K, canvas, deadline."""
    given: Given
    """What was given up, this and all before it."""
    reason: str
    """In a few words."""
    expected_s: float
    """From the last sample of speech to the first sound, as it is expected."""
    is_changed: bool
    """Another rung than the turn before."""
    acknowledges: bool = False
    """A sentence of the settings is to be said meanwhile."""

    @property
    def fact_first(self) -> bool:
        """Where a fact clearly matches it is read out, without a step."""
        return self.given is Given.WRITER

    @property
    def written(self) -> Plan:
        """The plan as a ReplyWriter takes it: without steps where a fact is to be read out, or else
        with its `min_steps`, a single one."""
        return replace(self.plan, steps=0) if self.fact_first else self.plan


@dataclass(frozen=True, slots=True)
class Left:
    """What a plan is made from."""

    at_s: float
    """Now."""
    spoken_end_s: float
    """When speech ended."""
    seconds: float
    """For the steps alone."""
    ahead_s: float
    """All that is not steps and still to come, with what it may stray."""
    usual_s: float
    """The same, as it mostly is."""
    beside: int
    """Positions of the rows that run already."""
    prompt: int
    """Tokens that a step attends to."""
    is_early: bool = False
    """The person may go on speaking."""
