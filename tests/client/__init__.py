"""Tests of `pyrochat.client`."""
