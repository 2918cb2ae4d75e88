"""Tests of what is shown and typed."""
