"""Tests of `pyrochat.room`."""
