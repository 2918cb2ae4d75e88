"""Tests of `pyrochat.core`."""
