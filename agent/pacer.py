"""The watchdog at work in a talk: plans each reply, and learns from what it took. Pure.

Rule 1. What a reply took is learnt when its first sound is audible: the next plan knows it, also
        where the reply is cut.
Rule 2. Lateness counts from the person's last word before the first sound, as it is known then;
        what stages take counts from when they began, also where that was before the last word.
Rule 3. A reply that was withdrawn teaches what its steps took and how many they were, nothing else.
"""

from __future__ import annotations

from atonce.agent.cost_model import CostModel
from atonce.agent.events import (
    FirstAudio,
    PromptRead,
    ReplyEnded,
    ReplyWaits,
    ReplyWithdrawn,
    SessionEvent,
)
from atonce.agent.ladder import Given
from atonce.agent.planning import Asked, FixedPlanner, Planned, Planner
from atonce.agent.reply_rules import plan_of
from atonce.agent.talk_turns import TalkTurn, TalkTurns
from atonce.agent.watchdog import Watchdog
from atonce.agent.watchdog_rules import WatchdogRules
from atonce.config.schema import Settings


class Pacer:
    """The planner of one session."""

    def __init__(self, watchdog: Watchdog, *, release_after_s: float) -> None:
        """release_after_s: silence before which no reply may be heard."""
        self._watchdog = watchdog
        self._release_after_s = release_after_s
        self._turns = TalkTurns()
        self._prompt = 0  # tokens of the last one
        # At the start, and not again: later it would be the load that is told of.
        self._complaint = None if watchdog.costs.steps else watchdog.complaint()

    @property
    def drafts_early(self) -> bool:
        """Unless the machine is slow."""
        return self._watchdog.keeps(Given.EARLY_DRAFTS)

    @property
    def reads_partials(self) -> bool:
        """Unless the machine is slow."""
        return self._watchdog.keeps(Given.PARTIALS)

    @property
    def complaint(self) -> str | None:
        """A budget that no plan meets; None: one does, or it was told before."""
        return self._complaint

    def plan(self, asked: Asked) -> Planned:
        """How this reply is written."""
        release_s = asked.spoken_end_s + self._release_after_s
        decision = self._watchdog.plan(
            asked.at_s,
            spoken_end_s=asked.spoken_end_s,
            prompt=self._prompt,
            release_s=release_s if asked.is_early else None,
        )
        return Planned(decision.written, decision.reason, decision.acknowledges)

    def observe(self, event: SessionEvent) -> None:
        """Take note of what happened."""
        turn = self._turns.take(event)

        if turn is None:
            return

        match event:
            case PromptRead():
                self._prompt = event.tokens
            case FirstAudio():
                self._learn(turn)
                self._judge(turn)
            case ReplyEnded() | ReplyWithdrawn() if turn.audible_s is None:
                self._learn(turn)
            case _:
                pass

    def _learn(self, turn: TalkTurn) -> None:
        """What its stages took, as far as it came."""
        heard_s = turn.began_s if turn.transcript_s is None else turn.transcript_s
        zero_s = heard_s if turn.audible_s is None else min(turn.zero_s, heard_s)
        self._watchdog.note_costs(
            turn.timeline(zero_s),
            canvas=turn.canvas,
            prompt=turn.prompt_tokens,
            begun_s=turn.began_s - zero_s,
        )
        if turn.source == "denoiser" and turn.draft != "refined":
            has_ended = turn.steps < turn.planned_steps and not turn.is_forced
            self._watchdog.costs.note_reply(turn.steps, has_ended=has_ended)

    def _judge(self, turn: TalkTurn) -> None:
        """Whether it came late, and whether that was the writer's doing."""
        ready_s = next(e.at_s for e in turn.events if isinstance(e, ReplyWaits | FirstAudio))
        is_held = turn.endpoint_s is not None and turn.endpoint_s > ready_s
        self._watchdog.heard(turn.first_audio_s, ready_s=ready_s - turn.zero_s if is_held else None)


def planner_of(settings: Settings, costs: CostModel) -> Planner:
    """As the settings want replies to be planned. costs: what is known of this machine."""
    if not settings.watchdog.enabled:
        return FixedPlanner(plan_of(settings.llm))

    watchdog = Watchdog(WatchdogRules.from_settings(settings), costs)
    return Pacer(watchdog, release_after_s=settings.endpoint.complete_ms / 1000)


_: type[Planner] = Pacer
