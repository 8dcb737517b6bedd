"""Measure ears and mouth on this machine.

usage: scripts/bench_speech [ears|voice] [options of that part, --help lists them]
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

PARTS = {"ears": "bench_ears", "voice": "bench_voice"}


def main() -> int:
    """Run the named part, or all of them without options."""
    named = sys.argv[1] if len(sys.argv) > 1 else ""

    if named in PARTS:
        return int(import_module(PARTS[named]).main(sys.argv[2:]))

    if named:
        print(__doc__)
        return 0 if named in ("-h", "--help") else 2

    return max(int(import_module(module).main([])) for module in PARTS.values())


if __name__ == "__main__":
    print(
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
        if hasattr(os, "getloadavg")
        else ""
    )
    sys.exit(main())
