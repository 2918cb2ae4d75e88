"""Tests of `pyrochat.pyro`."""
