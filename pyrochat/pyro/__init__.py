"""The Pyro5 side: the only place that touches Pyro5's internals, sockets and the name server.

Knows what a message on the wire looks like; knows neither rooms nor chats.
"""
