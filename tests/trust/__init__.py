"""Tests of `pyrochat.trust`."""
