"""The core: one log, many cursors. Knows no Pyro5, no sockets, no threads, no clock and no screen."""
