"""What a settled reply is, and what the operator allows while it is written. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from atonce.config.schema import MOST_STEPS, LlmSettings
from atonce.llm.protocols import Plan

Source = Literal["denoiser", "twin", "fact", "courtesy", "unknown"]


@dataclass(frozen=True, slots=True)
class Reply:
    """A settled reply, as it will be spoken."""

    text: str
    """Written form."""
    source: Source
    """Who wrote it."""
    steps: int
    """Denoising steps that were run, repairs included."""
    repaired: int
    """How often a span was masked again."""
    forced: bool
    """A deadline forced the last commit."""
    is_refined: bool = False
    """It was written out of an early draft."""


@dataclass(frozen=True, slots=True)
class ReplyRules:
    """What the operator allows and wants said."""

    plan: Plan
    """How a reply is written."""
    is_checked: bool
    """Run the reply check."""
    repairs: int
    """How often a failing reply may be repaired."""
    unknown: str
    """The honest sentence when nothing else may be said."""
    reply_s: float = 0.0
    """How long a reply is to last when it is spoken, seconds; 0: as long as its answer takes."""
    max_steps: int = MOST_STEPS
    """K is never above this, whoever chooses it."""
    small_talk: Mapping[str, str] = field(default_factory=dict)
    """What is said to small talk, by its kinds (small_talk.py); none: the writer answers."""


def plan_of(llm: LlmSettings) -> Plan:
    """How these settings want a reply to be written."""
    return Plan(
        steps=llm.steps,
        canvas=llm.canvas,
        rule=llm.rule,
        threshold=llm.threshold,
        seed=llm.seed,
        min_steps=llm.min_steps,
        factor=llm.factor,
        entropy_bound=llm.entropy_bound,
        left_bias=llm.left_bias,
        ends_early=llm.ends_early,
    )
