"""What goes wrong before a figure exists."""

from __future__ import annotations

from orchestrator_kernel.exceptions import ConfigurationError


class BenchmarkError(ConfigurationError):
    """A benchmark is set up in a way that cannot give a figure; the message says what to change."""

    default_code = "benchmark_misconfigured"
