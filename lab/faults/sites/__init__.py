"""Faults on rooms without a server: five sites, each a process in a network namespace of its own, with its senders beside it."""
