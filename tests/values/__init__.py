"""Tests of `pyrochat.values`."""
