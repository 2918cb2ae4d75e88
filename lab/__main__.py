"""``python -m lab faults|attacks|benchmarks|simulate|diagrams …``: what each of them does, its own ``__main__`` says."""

import runpy
import sys

PARTS = ("faults", "attacks", "benchmarks", "simulate", "diagrams")

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in PARTS:
        sys.exit(f"usage: python -m lab {'|'.join(PARTS)} …")
    runpy.run_module(f"lab.{sys.argv.pop(1)}", run_name="__main__", alter_sys=True)
