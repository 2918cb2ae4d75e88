"""The terminal: what is shown and typed. Knows `Chat`, not Pyro5."""
