"""The Pyro5 side: the only place that imports Pyro5; connections, frames, TLS, callbacks and the name server.

Knows what bytes on the wire mean, and serves objects by their names; what a room or a chat does, it doesn't know.
"""
