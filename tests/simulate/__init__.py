"""Tests of `lab.simulate`."""
