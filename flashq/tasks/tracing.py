"""W3C trace context, where opentelemetry is installed: a push takes the current one along, an attempt goes on."""
import contextlib
import importlib.util
from collections.abc import Iterator
from functools import cache
from typing import Any

from flashq.client.shapes import Job
from flashq.tasks.context import CurrentJob
from flashq.tasks.meta import meta_of


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


class _Provider:
    """Whether the program has one that looks at spans. Asked once a second, as the question costs as much as a job."""

    def __init__(self) -> None:
        self.there = False
        self._asked_at = -1.0

    def ask(self, now: float) -> bool:
        """`now` is monotonic, in seconds."""
        if not self.there and now >= self._asked_at + 1:
            self._asked_at = now
            trace = _api()
            self.there = trace is not None and not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
        return self.there


_PROVIDER = _Provider()


def wanted(job: Job, now: float) -> bool:
    """Whether an attempt at this job is to be traced: somebody looks at spans, or it carries a trace."""
    return _PROVIDER.ask(now) or ("trace" in meta_of(job.data) and _api() is not None)


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
    if trace is None or not wanted(current.job, current.started):
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
