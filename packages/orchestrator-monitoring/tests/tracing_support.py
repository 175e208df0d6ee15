"""What the tests of tracing share: a redactor, a clock to turn, and a `Tracing` whose spans can be looked at."""

import re
from collections import defaultdict

from orchestrator_monitoring.tracing import MemoryExporter, Tracing, TracingConfig

SECOND = 1_000_000_000


class FormRedactor:
    """Mail addresses and telephone numbers by their form, and what is known of a call."""

    def __init__(self):
        self._known = defaultdict(set)

    def redact_text(self, text, *, call=None):
        text = re.sub(r"[\w.]+@[\w.]+\w", "[email]", text)
        text = re.sub(r"\+\d[\d ]{6,}", "[phone]", text)
        for value in self._known.get(call, ()):
            text = text.replace(value, "[known]")
        return text

    def redact(self, value, *, call=None):
        if isinstance(value, str):
            return self.redact_text(value, call=call)
        if isinstance(value, dict):
            return {key: self.redact(each, call=call) for key, each in value.items()}
        return [self.redact(each, call=call) for each in value] if isinstance(value, list) else value

    def know(self, call, values):
        self._known[call] |= set(values)

    def forget(self, call):
        self._known.pop(call, None)


class Ticks:
    """Nanoseconds that pass when they are told to."""

    def __init__(self, now=1_700_000_000 * SECOND):
        self.now = now

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += round(seconds * SECOND)


class Traced:
    """A `Tracing`, its exporter, and its clock."""

    def __init__(self, *, redactor=None, ticks=None, **config):
        self.exporter = MemoryExporter()
        self.ticks = ticks or Ticks()
        self.tracing = Tracing(
            TracingConfig(**config), exporter=self.exporter, redactor=redactor, wall=self.ticks, ticks=self.ticks
        )
        self.provider = self.tracing.provider
        self.tracer = self.provider.get_tracer("test", "1.2")

    @property
    def spans(self):
        assert self.tracing.flush(10)
        return self.exporter.spans

    def only(self):
        [span] = self.spans
        return span

    def names(self):
        return sorted(span.name for span in self.spans)

    def counts(self):
        assert self.tracing.flush(10)
        return {fate: count for fate, count in self.tracing.counts().items() if count}
