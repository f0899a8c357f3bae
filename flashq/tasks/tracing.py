"""W3C trace context, where opentelemetry is installed: a push takes the current one along, an attempt goes on."""
import contextlib
import importlib.util
from collections.abc import Iterator
from functools import cache
from typing import Any

from flashq.client.shapes import Job
from flashq.tasks.context import CurrentJob
from flashq.tasks.meta import META, meta_of


@cache
def _api() -> Any:
    """The module opentelemetry.trace, or None."""
    if importlib.util.find_spec("opentelemetry") is None:
        return None
    try:
        return importlib.import_module("opentelemetry.trace")
    except ImportError:
        return None


@cache
def _propagator() -> Any:
    module = importlib.import_module("opentelemetry.trace.propagation.tracecontext")
    return module.TraceContextTextMapPropagator()


def wanted(job: Job) -> bool:
    """Whether an attempt at this job is to be traced: somebody looks at spans, or it carries a trace."""
    trace = _api()
    if trace is None:
        return False
    data = job.data
    return (type(data) is dict and META in data) or not isinstance(
        trace.get_tracer_provider(), trace.ProxyTracerProvider)


def carried() -> dict[str, str] | None:
    """The trace context of the code that pushes, None when there is none."""
    trace = _api()
    if trace is None or not trace.get_current_span().get_span_context().is_valid:
        return None
    carrier: dict[str, str] = {}
    _propagator().inject(carrier)
    return carrier or None


@contextlib.contextmanager
def attempt(task: str, current: CurrentJob) -> Iterator[None]:
    """A span for an attempt, as a child of the one that pushed the job."""
    trace = _api()
    if trace is None or not wanted(current.job):
        yield
        return
    parent = _propagator().extract(meta_of(current.job.data).get("trace") or {})
    attributes = {"messaging.system": "flashq", "messaging.operation.type": "process",
                  "messaging.destination.name": current.queue, "messaging.message.id": str(current.id),
                  "flashq.attempt": current.attempt}
    with _attached(parent), trace.get_tracer("flashq").start_as_current_span(
            f"process {task}", context=parent, kind=trace.SpanKind.CONSUMER, attributes=attributes):
        yield


@contextlib.contextmanager
def _attached(context: Any) -> Iterator[None]:
    """Without a provider of spans the pushed context itself is the current one, for what the handler pushes in turn."""
    api = importlib.import_module("opentelemetry.context")
    token = api.attach(context)
    try:
        yield
    finally:
        api.detach(token)
