"""`python -m orchestrator_performance.benchmarking FILE_OR_FOLDER... [--json | --markdown] [--save FILE] [--quick]`."""

from __future__ import annotations

import sys

from orchestrator_performance.benchmarking._runner import main

sys.exit(main())
