"""Clients of other servers, which only a benchmark against them needs (the extra `bench`)."""

import importlib
from typing import Any


class _Missing:
    """In the place of a module that is not installed: whoever uses it is told how to get it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        raise SystemExit(f"the Python client {self._name} is missing: run benchmarks/install.sh")


def optional(name: str) -> Any:
    """The module *name*, or what stands for it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return _Missing(name)
