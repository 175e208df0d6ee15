"""Measurements that hold on a shared machine.

`compare` interleaves contenders with a baseline in one process and reports paired ratios with an interval and an A/A control;
`open_loop` loads an operation at intended times and reports percentiles; `Gate` says what is good enough, and a run on a machine too
busy to tell is void instead of failed. `orchestrator-bench run PATH...` runs files of benchmarks.

Modules beside this one: `.patterns` (loads that change while they last), `.capacity` (how much is carried), `.resources` (what it costs), `.asgi`
(requests in process), `.stored` (a run against a stored one) and `.selftest`.
"""

from orchestrator_performance.benchmarking._comparison import acompare, compare
from orchestrator_performance.benchmarking._errors import BenchmarkError
from orchestrator_performance.benchmarking._gates import Gate, Verdict, changed, judge_latency, judge_ratio
from orchestrator_performance.benchmarking._histogram import LatencyHistogram
from orchestrator_performance.benchmarking._open_loop import evenly, idle_lag, open_loop, poisson, trials
from orchestrator_performance.benchmarking._pace import pace
from orchestrator_performance.benchmarking._reports import GateResult, LatencyReport, Report, Row
from orchestrator_performance.benchmarking._rounds import Sampling
from orchestrator_performance.benchmarking._runner import Bench, main, run_main
from orchestrator_performance.benchmarking._sampling import Contender
from orchestrator_performance.benchmarking._statistics import Estimate, estimate_median

__all__ = [
    "Bench",
    "BenchmarkError",
    "Contender",
    "Estimate",
    "Gate",
    "GateResult",
    "LatencyHistogram",
    "LatencyReport",
    "Report",
    "Row",
    "Sampling",
    "Verdict",
    "acompare",
    "changed",
    "compare",
    "estimate_median",
    "evenly",
    "idle_lag",
    "judge_latency",
    "judge_ratio",
    "main",
    "open_loop",
    "pace",
    "poisson",
    "run_main",
    "trials",
]
