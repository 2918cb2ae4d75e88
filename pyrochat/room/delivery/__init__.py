"""From the log to the sessions: what has been encoded, and the thread that multicasts it."""
