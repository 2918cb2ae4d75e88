"""Tests of what a conversation looks like."""
