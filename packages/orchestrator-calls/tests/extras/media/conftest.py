"""Makes `calls_support`, `media_voices` and the benchmarks importable."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1]), str(HERE.parents[2] / "benchmarks")]
