"""Tests of what is written, and of its way out."""
