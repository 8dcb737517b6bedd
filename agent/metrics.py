"""What can be watched from outside: numbers for Prometheus, a trace of each turn for OpenTelemetry.

Rule 1. Both are off by default, and their packages are imported only where they are on.
Rule 2. Names are OpenTelemetry's own for generative AI where it has one. No word that was said or
        heard leaves the machine by this way.
Rule 3. A trace is made of a turn that is over; nothing waits for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from atonce.agent.events import (
    ErrorRaised,
    LoopMeasured,
    PlanMade,
    ReplyEnded,
    ReplyWithdrawn,
    SessionEvent,
)
from atonce.agent.talk_turns import TalkTurn, TalkTurns
from atonce.agent.turn_bars import of_marks
from atonce.config.errors import SettingsError
from atonce.config.schema import Settings

MARK_BUCKETS_S = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0)
"""First audio is about 0.6 s on an idle machine, and its budget 1.5 s."""
STEP_BUCKETS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64)
MISSING = (
    "metrics need packages that are not installed: pip install 'atonce[metrics]', or switch them "
    "off (metrics.prometheus_port 0, metrics.traces false)"
)


class Metrics:
    """An observer of any number of talks."""

    def __init__(
        self, registry: Any, *, budget_s: float, trace: Callable[[TalkTurn], None]
    ) -> None:
        """registry: prometheus_client's. trace: what is done with a turn that is over."""
        from prometheus_client import Counter, Gauge, Histogram

        def histogram(named: str, told: str, buckets: tuple[float, ...], *by: str) -> Histogram:
            return Histogram(named, told, by, registry=registry, buckets=buckets)

        def counter(named: str, told: str, *by: str) -> Counter:
            return Counter(named, told, by, registry=registry)

        self._budget_s, self._trace = budget_s, trace
        self.marks = histogram(
            "atonce_mark_seconds", "From the person's last word to a mark.", MARK_BUCKETS_S, "mark"
        )
        self.steps = histogram("atonce_steps", "Denoising steps of a reply.", STEP_BUCKETS)
        self.planned = Gauge("atonce_planned_steps", "K of the last plan.", registry=registry)
        self.turns = counter("atonce_turns", "Replies that were heard.", "source", "draft")
        self.late = counter("atonce_late", "Replies that were heard later than the budget.")
        self.withdrawn = counter("atonce_withdrawn", "Drafts that were not heard.")
        self.forced = counter("atonce_forced", "Replies that the deadline closed.")
        self.acknowledged = counter("atonce_acknowledged", "Sentences that bought time.")
        self.cut = counter("atonce_cut", "Replies that were interrupted.")
        self.errors = counter("atonce_errors", "Failures that were told.")
        self.lag = Gauge("atonce_loop_lag_p99_seconds", "Lateness of the loop.", registry=registry)

    def observer(self) -> Callable[[SessionEvent], None]:
        """Of one talk."""
        follows = TalkTurns()

        def observe(event: SessionEvent) -> None:
            turn = follows.take(event)
            self._count(event)
            if turn is not None and isinstance(event, ReplyEnded | ReplyWithdrawn):
                self._note(turn)

        return observe

    def _count(self, event: SessionEvent) -> None:
        match event:
            case PlanMade():
                self.planned.set(event.plan.steps)
            case ErrorRaised():
                self.errors.inc()
            case LoopMeasured():
                self.lag.set(event.lag_p99_ms / 1000)
            case _:
                pass

    def _note(self, turn: TalkTurn) -> None:
        if turn.is_withdrawn or turn.first_audio_s is None:
            self.withdrawn.inc()
            return

        self.turns.labels(turn.source, turn.draft).inc()
        self.steps.observe(turn.steps)
        for mark, seconds in turn.marks_s.items():
            if not mark.startswith("draft_"):
                self.marks.labels(mark).observe(seconds)

        for counted, is_so in (
            (self.late, turn.first_audio_s > self._budget_s),
            (self.forced, turn.is_forced),
            (self.acknowledged, "acknowledged" in turn.marks_s),
            (self.cut, turn.is_cut),
        ):
            counted.inc(is_so)

        self._trace(turn)


def tracer(provider: Any, settings: Settings, *, offset_s: float) -> Callable[[TalkTurn], None]:
    """What makes a trace of a turn. offset_s: what the talk's clock lacks to the time of day."""
    made = provider.get_tracer("atonce", version("atonce"))
    names = {"gen_ai.provider.name": "atonce", "gen_ai.request.model": settings.llm.engine}

    def trace(turn: TalkTurn) -> None:
        zero_s = turn.zero_s + offset_s
        of_turn = {
            **names,
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "atonce",
            "gen_ai.usage.input_tokens": turn.prompt_tokens,
            "gen_ai.output.type": "speech",
            "gen_ai.request.seed": settings.llm.seed,
            "atonce.source": turn.source,
            "atonce.draft": turn.draft,
            "atonce.steps": turn.steps,
            "atonce.planned_steps": turn.planned_steps,
            "atonce.canvas": turn.canvas,
            "atonce.plan.reason": turn.reason,
            "gen_ai.response.time_to_first_chunk": turn.first_audio_s or 0.0,
        }
        root = made.start_span("invoke_agent atonce", start_time=_ns(zero_s), attributes=of_turn)
        within = _within(root)
        rows = of_marks(turn.marks_s)
        for bar in rows:
            attributes = {"gen_ai.operation.name": "chat"} if bar.name.startswith("draft_") else {}
            span = made.start_span(
                bar.name, within, start_time=_ns(zero_s + bar.start_s), attributes=attributes
            )
            span.end(_ns(zero_s + bar.end_s))

        root.end(_ns(zero_s + max((bar.end_s for bar in rows), default=0.0)))

    return trace


def _within(span: Any) -> Any:
    from opentelemetry.trace import set_span_in_context

    return set_span_in_context(span)


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)


def observers_of(watched: Metrics | None) -> list[Callable[[SessionEvent], None]]:
    """For a session: one observer, or none."""
    return [watched.observer()] if watched is not None else []


def no_trace(turn: TalkTurn) -> None:
    """Traces are off."""
    del turn


@contextmanager
def watching(settings: Settings) -> Iterator[Metrics | None]:
    """Metrics as the settings want them, for as long as they are needed; None: all is off.

    SettingsError: they cannot be had.
    """
    # Talks are on the event loop's clock, which is this one; traces are on the time of day.
    offset_s = datetime.now(UTC).timestamp() - time.monotonic()
    wanted = settings.metrics
    if not wanted.prometheus_port and not wanted.traces:
        yield None
        return

    try:
        import prometheus_client
    except ImportError:
        raise SettingsError(MISSING) from None

    provider = _provider(settings) if wanted.traces else None
    trace = tracer(provider, settings, offset_s=offset_s) if provider else no_trace
    registry = prometheus_client.CollectorRegistry()
    budget_s = settings.watchdog.first_audio_ms / 1000
    server = None
    try:
        if wanted.prometheus_port:
            server, _ = prometheus_client.start_http_server(
                wanted.prometheus_port, wanted.host, registry
            )
    except OSError as error:
        raise SettingsError(
            f"metrics.prometheus_port {wanted.prometheus_port} at {wanted.host} cannot be opened "
            f"({error.strerror or error}): choose another port"
        ) from error

    try:
        yield Metrics(registry, budget_s=budget_s, trace=trace)
    finally:
        if server is not None:
            server.shutdown()
            server.server_close()

        if provider is not None:
            provider.shutdown()


def _provider(settings: Settings) -> Any:
    """What sends traces."""
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise SettingsError(MISSING) from None

    endpoint = settings.metrics.traces_endpoint
    provider = TracerProvider(resource=Resource.create({"service.name": "atonce"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint or None)))
    return provider
