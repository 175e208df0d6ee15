"""Makes helper modules of these tests importable: tests are loaded by path, so their folder is on no path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
