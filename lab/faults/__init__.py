"""The fault bench: real processes, real faults, a recorded history, and a checker that can tell.

A development tool, not part of the package: ``python -m lab faults --help``.

- `events`, `history`: what clients recorded, one event a line, and the same put together
- `evidence`, `checker`, `confirmation_checks`: what must not be in a history; no I/O
- `recorder`: a client process that sends, and records what it is told
- `proxy`, `processes`, `cluster`: what faults are done to
- `schedule`, `bench`, `scenarios`: which faults when, and what has to come of it
"""
