"""Tests of `pyrochat.core.graph`."""
