"""Tests of what strangers, and members, must not be able to do."""
