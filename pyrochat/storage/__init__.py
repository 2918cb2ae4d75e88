"""Logs and what stands beside them, on disk: the SQLite log, its formats, its lock and witness, backup, verification, the index."""
