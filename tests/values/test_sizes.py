"""Sizes as people write them."""

from __future__ import annotations

import pytest

from pyrochat.values.errors import InvalidArgument
from pyrochat.values.sizes import parse_size, shown_size


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("0", 0), ("1000", 1000), ("1000B", 1000), (1000, 1000), ("1K", 1024), ("1k", 1024), ("512M", 512 << 20),
        ("10GiB", 10 << 30), ("10 gib", 10 << 30), (" 2G ", 2 << 30), ("1.5GiB", 3 << 29), ("2GB", 2 * 10**9),
        ("1T", 1 << 40), ("3PB", 3 * 10**15),
    ],
)  # fmt: skip
def test_a_size(written: str | int, size: int) -> None:
    assert parse_size(written, "it") == size


@pytest.mark.parametrize(
    "written",
    ["", "x", "-1", -1, True, None, 1.5, "1e9", "1 2", "10Gi", "10iB", "G", "1.", "٣", "9" * 40, "1Q", "1\n2"],
)
def test_what_is_none_is_said(written: object) -> None:
    with pytest.raises(
        InvalidArgument, match=r"^--room-bytes has to be a size, as 10GiB, 512M or a number of bytes, not "
    ):
        parse_size(written, "--room-bytes")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (10 << 30, "10 GiB"),
        (5 << 40, "5 TiB"),
    ],
)
def test_a_size_as_it_is_shown(size: int, shown: str) -> None:
    assert shown_size(size) == shown
    if size >= 1024:
        assert parse_size(shown, "it") == size
