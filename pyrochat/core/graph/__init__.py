"""Rooms without a sequencer: a graph of events that the sites hold together; no I/O, no clock, no randomness."""
