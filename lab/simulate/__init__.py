"""The simulator of rooms without a server: the core's own code, and a network, disks and clocks that are not real.

A development tool, not part of the package: ``python -m lab simulate --help``.

- `network`: what is under way, and what becomes of it
- `simulation`: the faults, which are the same for both orders
- `causal`, `lamport`: the sites of such rooms, and what must not happen there
- `variants`: broken rules, which have to be found
- `running`, `costs`: many runs, and what a text costs
"""
