"""Tests of the commands: what is asked, and where it is answered from."""
