"""Trace context: a push takes it along, an attempt is a span below it, and what a handler pushes is below that."""

import importlib
from collections.abc import Iterator
from typing import Any

import pytest

from flashq import App
from flashq.client import FlashQ
from flashq.tasks import tracing
from flashq.tasks.meta import META
from support.clients import url_of
from support.server import ServerProcess
from support.tasks import working
from support.tools import lacking


@pytest.fixture
def spans() -> Iterator[Any]:
    """Where finished spans are kept; the provider is that of this process from now on."""
    try:
        trace = importlib.import_module("opentelemetry.trace")
        sdk = importlib.import_module("opentelemetry.sdk.trace")
        export = importlib.import_module("opentelemetry.sdk.trace.export")
        memory = importlib.import_module("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    except ImportError:
        lacking("opentelemetry-sdk is not installed")
    if not isinstance(trace.get_tracer_provider(), sdk.TracerProvider):
        trace.set_tracer_provider(sdk.TracerProvider())
    exporter = memory.InMemorySpanExporter()
    processor = export.SimpleSpanProcessor(exporter)
    trace.get_tracer_provider().add_span_processor(processor)
    tracing._PROVIDER._asked_at = -1.0
    yield exporter
    processor.shutdown()


async def test_spans_of_pushes_and_attempts_belong_together(
    spans: Any, server: ServerProcess, queue_name: str
) -> None:
    trace = importlib.import_module("opentelemetry.trace")
    app = App(url_of(server), queue=queue_name)

    @app.task
    async def outer(n: int) -> int:
        return await (await inner.push_async(n))

    @app.task
    def inner(n: int) -> int:
        if trace.get_current_span().get_span_context().is_valid:
            return n + 1
        raise ValueError("no span")

    async with working(app):
        with trace.get_tracer("test").start_as_current_span("request") as request:
            handle = await outer.push_async(1)
        assert await handle == 2
    app.close()
    found = {span.name: span for span in spans.get_finished_spans()}
    assert set(found) == {"request", "process outer", "process inner"}
    outer_span, inner_span = found["process outer"], found["process inner"]
    assert outer_span.parent.span_id == request.get_span_context().span_id
    assert inner_span.parent.span_id == outer_span.context.span_id
    assert {span.context.trace_id for span in found.values()} == {request.get_span_context().trace_id}
    assert outer_span.attributes["messaging.destination.name"] == queue_name
    with FlashQ(url_of(server)) as client:
        job = client.get_job(handle.id)
        assert job is not None and job.data["n"] == 1
        assert set(job.data[META]["trace"]) >= {"traceparent"}


async def test_a_failure_is_noted_in_the_span(spans: Any, server: ServerProcess, queue_name: str) -> None:
    app = App(url_of(server), queue=queue_name)

    @app.task(retries=0)
    async def broken() -> None:
        raise ValueError("boom")

    async with working(app):
        handle = await broken.push_async()
        with pytest.raises(Exception, match="failed: ValueError: boom"):
            await handle
    (span,) = spans.get_finished_spans()
    assert span.name == "process broken" and not span.status.is_ok and span.parent is None


def test_without_a_trace_nothing_is_carried(server: ServerProcess, queue_name: str) -> None:
    app = App(url_of(server), queue=queue_name)

    @app.task
    def plain(n: int) -> None: ...

    with FlashQ(url_of(server)) as client:
        job = client.get_job(plain.push(5).id)
        assert job is not None and job.data == {"n": 5}
    app.close()
