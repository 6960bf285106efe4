"""Spans of batches that pollers hand to functions, linked to where their messages come from."""

from functools import partial

from emberbox.model.mapping import EventSourceMapping
from emberbox.model.span_attributes import invoked, of_batch, resource_name
from emberbox.model.spans import LINKS_MAX, Attributes, Context, Kind, Opened, context_of
from emberbox.model.trace import furthest
from emberbox.sources.feed import Batch
from emberbox.telemetry.spans import Spans


class BatchSpans:
    """A batch goes on with the trace of one of its messages, and has links to those of all."""

    def __init__(self, spans: Spans) -> None:
        self._spans = spans

    def begin(self, mapping: EventSourceMapping, batch: Batch) -> Opened | None:
        """A batch goes to its function; None if that is not recorded."""
        name = f"process {resource_name(mapping.source_arn or '')}"
        return self._spans.open(name, Kind.CONSUMER, trace_of_batch(batch), trigger="pubsub")

    def end(
        self, span: Opened, mapping: EventSourceMapping, batch: Batch, error: str | None
    ) -> None:
        """The function has answered, or could not be run."""
        said = partial(_said, mapping, len(batch.records))
        self._spans.close(span, said, error=error, links=_links(batch))


def trace_of_batch(batch: Batch) -> str | None:
    """The trace that a batch goes on with; None if none of its messages has one."""
    return furthest(each.trace for each in batch.records if each.trace)


def _said(mapping: EventSourceMapping, records: int) -> Attributes:
    about = (mapping.account, mapping.region, mapping.function, mapping.qualifier or "")
    return {**of_batch(mapping.source_arn or "", records), **invoked(*about)}


def _links(batch: Batch) -> list[Context]:
    """The contexts that messages were sent from, each once."""
    found: dict[Context, None] = {}
    for record in batch.records:
        context = context_of(record.trace)
        if context is not None and context.span_id:
            found[context] = None
            if len(found) == LINKS_MAX:
                break
    return list(found)
