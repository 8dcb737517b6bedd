"""What can be watched from outside, and that it is off where nobody asked for it."""

from __future__ import annotations

import gzip
import socket
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from atonce.agent import metrics
from atonce.agent.events import (
    DraftMade,
    ErrorRaised,
    FirstAudio,
    PlanMade,
    PromptRead,
    ReplyChecked,
    ReplyEnded,
    ReplySettled,
    ReplyStarted,
    ReplyWaits,
    ReplyWithdrawn,
    SessionEvent,
    SpeechPaused,
    SpeechStopped,
    WordsHeard,
)
from atonce.agent.reply_check import Verdict
from atonce.agent.reply_rules import Reply
from atonce.config.errors import SettingsError
from atonce.config.load import defaults
from atonce.llm.protocols import Draft, Plan


def one_turn(number: int = 1, first_audio_s: float = 10.6) -> list[SessionEvent]:
    """A question whose last word ended at 10 s."""
    reply = Reply("We open at 9:30 am.", "denoiser", 2, 0, forced=False)
    return [
        SpeechPaused(10.12, 10.0),
        WordsHeard(10.25, "When do you open?", 4, is_final=True),
        ReplyStarted(10.25, number, "When do you open?", is_early=True),
        PlanMade(10.25, Plan(4, 40), "K 4: step 37 ms, 900 ms left", number),
        SpeechStopped(10.3, 10.0),
        PromptRead(10.38, 405),
        DraftMade(10.42, Draft(1, 4, ()), 0),
        DraftMade(10.46, Draft(2, 2, ()), 0),
        ReplyChecked(10.47, Verdict(()), final=True),
        ReplySettled(10.47, reply, number),
        ReplyWaits(10.55, number),
        FirstAudio(first_audio_s, number),
        ReplyEnded(first_audio_s + 2, reply.text, is_cut=False, reply=number),
    ]


def value(registry: object, name: str, **labels: str) -> float | None:
    found: float | None = registry.get_sample_value(name, labels)  # type: ignore[attr-defined]
    return found


def test_a_turn_is_counted_with_its_marks() -> None:
    from prometheus_client import CollectorRegistry

    registry, traced = CollectorRegistry(), list[object]()
    observe = metrics.Metrics(registry, budget_s=1.5, trace=traced.append).observer()
    for event in one_turn():
        observe(event)

    assert value(registry, "atonce_turns_total", source="denoiser", draft="held") == 1
    assert value(registry, "atonce_mark_seconds_sum", mark="first_audio") == pytest.approx(0.6)
    assert value(registry, "atonce_mark_seconds_sum", mark="endpointed") == pytest.approx(0.3)
    assert value(registry, "atonce_steps_sum") == 2
    assert value(registry, "atonce_planned_steps") == 4
    assert value(registry, "atonce_late_total") == 0
    assert len(traced) == 1


def test_late_withdrawn_and_failed_are_counted() -> None:
    from prometheus_client import CollectorRegistry

    registry = CollectorRegistry()
    observe = metrics.Metrics(registry, budget_s=0.5, trace=metrics.no_trace).observer()
    for event in one_turn():
        observe(event)

    for event in (*one_turn(2)[:6], ReplyWithdrawn(10.4, 2), ErrorRaised(10.5, "no")):
        observe(event)

    assert value(registry, "atonce_late_total") == 1
    assert value(registry, "atonce_withdrawn_total") == 1
    assert value(registry, "atonce_errors_total") == 1


def test_a_trace_has_the_turn_and_a_span_for_every_mark() -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from prometheus_client import CollectorRegistry

    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace = metrics.tracer(provider, defaults().settings, offset_s=1000.0)
    observe = metrics.Metrics(CollectorRegistry(), budget_s=1.5, trace=trace).observer()
    for event in one_turn():
        observe(event)

    spans = {span.name: span for span in exporter.get_finished_spans()}
    root = spans["invoke_agent atonce"]
    assert root.attributes is not None
    assert root.attributes["gen_ai.operation.name"] == "invoke_agent"
    assert root.attributes["gen_ai.usage.input_tokens"] == 405
    assert root.start_time == 1010 * 10**9
    assert {"prompt_read", "draft_1", "draft_2", "first_audio"} <= set(spans)
    assert spans["draft_1"].parent is not None
    assert root.context is not None
    assert spans["draft_1"].parent.span_id == root.context.span_id
    told = " ".join(str(dict(span.attributes or {})) for span in spans.values())
    assert "open" not in told  # no word that was said or heard
    provider.shutdown()


def test_all_is_off_by_default() -> None:
    with metrics.watching(defaults().settings) as watched:
        assert metrics.observers_of(watched) == []


def test_prometheus_finds_them_at_the_port() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    settings = defaults([f"metrics.prometheus_port={port}"]).settings
    with metrics.watching(settings) as watched:
        assert watched is not None
        observe = watched.observer()
        for event in one_turn():
            observe(event)

        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()

    assert 'atonce_turns_total{draft="held",source="denoiser"} 1.0' in text


def test_a_collector_is_sent_the_trace_over_the_network_and_no_word_that_was_said() -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    sent: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            packed = self.headers.get("Content-Encoding") == "gzip"
            sent.append((self.path, gzip.decompress(body) if packed else body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quietly."""

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        at = f"http://127.0.0.1:{server.server_address[1]}/v1/traces"
        settings = defaults(["metrics.traces=true", f"metrics.traces_endpoint={at}"]).settings
        with metrics.watching(settings) as watched:
            assert watched is not None
            observe = watched.observer()
            for event in one_turn():
                observe(event)

        server.shutdown()
        serving.join()

    ((path, body),) = sent
    request = ExportTraceServiceRequest.FromString(body)
    (resource,) = request.resource_spans
    names = [span.name for scope in resource.scope_spans for span in scope.spans]
    assert path == "/v1/traces"
    assert {"invoke_agent atonce", "prompt_read", "draft_1", "first_audio"} <= set(names)
    assert b"9:30" not in body
    assert b"When do you" not in body


def test_a_port_that_is_taken_is_one_clear_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = defaults([f"metrics.prometheus_port={port}"]).settings
        with (
            pytest.raises(SettingsError, match=rf"metrics\.prometheus_port {port}"),
            metrics.watching(settings),
        ):
            pass
