"""Known defects of the peers, side by side with this package: `python peers` prints a table; `--markdown` the README's.

Ends with 1 if a case fails here, or if a peer no longer shows the defect that is named: then the case has to go.
"""

from __future__ import annotations

import logging
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import breakers  # noqa: F401 - writes its cases down
import limiters  # noqa: F401
import retries  # noqa: F401
import shared_breakers  # noqa: F401
from cases import CASES, watch


def main() -> int:
    """Run every case, or those of the peers that are named."""
    warnings.simplefilter("ignore")
    logging.disable()
    markdown = "--markdown" in sys.argv
    named = {each for each in sys.argv[1:] if not each.startswith("--")}
    wrong = 0
    if markdown:
        print("| peer | what a user may expect | there | here |\n|---|---|---|---|")
    peers = list(dict.fromkeys(each.peer for each in CASES))
    for each in sorted(CASES, key=lambda case: peers.index(case.peer)):
        if named and each.peer not in named:
            continue
        there, here = watch(each.there), watch(each.here)
        broken = there.text.startswith("broken")
        verdict = "ok" if here.good and not there.good and not broken else "WRONG"
        wrong += verdict != "ok"
        peer = f"{each.peer} {version(each.peer)}"
        if markdown:
            print(f"| {peer} | {each.promise} | {there.text} | {here.text} |", flush=True)
        else:
            print(
                f"{verdict:5}  {peer}: {each.promise}\n         there: {there.text}\n         here:  {here.text}",
                flush=True,
            )
    print(f"\n{wrong} cases are not as they should be" if wrong else "", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
