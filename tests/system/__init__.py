"""Tests with real processes: commands, pipes, pseudo-terminals, signals."""
