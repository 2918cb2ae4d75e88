"""Orders of a log that several machines have: one decides for all what is in it, by an engine behind a port (`stream`).

State machine replication without a leader among the room servers: what a server's callers want is published as one entry
of a stream; each server applies all entries in the stream's order, and answers its own callers when it has applied theirs.
"""
