"""Attacks on a running server, by raw sockets: what strangers and hostile members try, and what it costs.

A development tool, not part of the package: ``python -m lab attacks --help``.

- `wire`: frames with any header, and strangers who send them
- `target`, `crowd`: a server process to be attacked, and members who chat meanwhile and take their times
- `traps`, `running`: one attack after the other, each with the refusal that it has to meet
- `holding`: connections that are held open, and somebody who joins meanwhile
- `mutations`, `fuzzing`, `fuzzed_client`: frames that are nearly right
- `flooder`, `flooding`: members that send as fast as they can
"""
