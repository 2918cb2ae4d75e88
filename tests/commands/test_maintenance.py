"""``pyrochat-server --verify --expect``: what is taken as a digest, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyrochat import InvalidArgument
from pyrochat.commands.maintenance import verify_rooms
from pyrochat.commands.shell import DONE, FAILED
from pyrochat.storage.log_file import log_path
from pyrochat.storage.sqlite_log import SqliteLog
from tests.support import chat_message


@pytest.fixture
def digest(data: Path) -> str:
    """The digest at message 2 of a closed log of three messages, in hexadecimal."""
    log = SqliteLog(log_path(data, "lobby"), "lobby")
    log.append([chat_message(1), chat_message(2), chat_message(3)])
    digest = log.digest(2).hex()
    log.close()
    return digest


@pytest.mark.parametrize(
    "form", ["2:{0}", "2:{0:.8}", "2:{0:.9}", "2:{0:.63}", "2:{0:.12}…", "2:{0:.16}...", " 2:{0} ", "2:{0:.8}\n"]
)
def test_found_27_a_digest_may_be_shortened_to_eight_digits(
    data: Path, digest: str, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for digits in (digest, digest.upper()):
        assert verify_rooms(data, ["lobby"], form.format(digits)) == DONE
        assert "3 messages, whole" in capsys.readouterr().out


@pytest.mark.parametrize("place", [0, 7, 8, 20, 63])
def test_found_27_a_wrong_one_says_that_the_log_was_changed(
    data: Path, digest: str, place: int, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = digest[:place] + ("0" if digest[place] != "0" else "1") + digest[place + 1 :]
    for shown in {wrong, wrong[: max(8, place + 1)]}:
        assert verify_rooms(data, ["lobby"], f"2:{shown}") == FAILED
        assert "it is another log, or was changed" in capsys.readouterr().out


@pytest.mark.parametrize("length", [0, 1, 4, 7])
def test_found_27_a_shorter_one_is_too_short(data: Path, digest: str, length: int) -> None:
    for end in ("", "…"):
        with pytest.raises(InvalidArgument, match=r"too short: give the first 8 digits"):
            verify_rooms(data, ["lobby"], f"2:{digest[:length]}{end}")


@pytest.mark.parametrize(
    "expect", ["", "2", ":", "two:{0}", "-2:{0}", "2:{0}0", "2:x{0}", "2 {0}", "2:{0:.20}…more", "²:{0}"]
)
def test_found_27_what_is_no_digest_is_said_to_be_none(data: Path, digest: str, expect: str) -> None:
    with pytest.raises(InvalidArgument, match="takes ID:DIGEST"):
        verify_rooms(data, ["lobby"], expect.format(digest))


def test_a_log_that_ends_before_has_lost_its_tail(data: Path, digest: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify_rooms(data, ["lobby"], f"4:{digest:.8}") == FAILED
    assert "its tail is lost" in capsys.readouterr().out
