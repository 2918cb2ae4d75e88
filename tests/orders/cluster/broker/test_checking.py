"""Brokers that others have started are checked before a room opens on them, and what has to be changed is said."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from pyrochat.orders.cluster.broker.checking import checked
from pyrochat.values.errors import CannotHost
from tests.orders.cluster.broker.brokers import SECRET, SPACE, free_ports, run, single
from tests.orders.cluster.broker.brokers import connected as connected_to
from tests.support import free_port

GOOD = 'max_payload: 8MB\njetstream { store_dir: "FOLDER", sync_interval: always }\n'
USER = {"user": "a", "password": "b"}
OTHER_ACCOUNT = """
accounts {
  PLAIN { users: [{user: a, password: b}] }
  STORING { jetstream: enabled, users: [{user: c, password: d}] }
}"""
READER = 'authorization { users: [{user: a, password: b, permissions: {publish: ["$JS.API.INFO"]}}] }'


def check(text: str, folder: Path, replicas: int = 1, monitor_port: int | None = None, **more: Any) -> list[str]:
    """The warnings of a broker with the configuration *text*; its monitoring can't be seen."""
    with single(folder, text) as server:
        return checked({"servers": [server], **more}, replicas, SPACE, monitor_port=monitor_port or free_port())


def monitored(text: str) -> tuple[str, int]:
    port = free_ports(("127.0.0.1",))
    return f'{text}\nhttp: "127.0.0.1:{port}"', port


def test_brokers_that_are_well_set_up_are_taken(tmp_path: Path) -> None:
    text, port = monitored(GOOD)
    assert check(text, tmp_path, monitor_port=port) == []


def test_nothing_is_left_of_a_check(tmp_path: Path) -> None:
    async def names(server: str) -> list[str]:
        async with connected_to({"servers": [server]}) as client:
            return [info.config.name for info in await client.jetstream().streams_info()]

    with single(tmp_path, GOOD) as server:
        checked({"servers": [server]}, 1, SPACE, monitor_port=free_port())
        checked({"servers": [server]}, 1, SPACE, monitor_port=free_port())
        assert run(names(server)) == []


def test_what_can_not_be_seen_is_a_warning(tmp_path: Path) -> None:
    (warning,) = check(GOOD, tmp_path)
    assert re.fullmatch(r"whether 127.0.0.1 would lose .* can't be seen .* sync_interval: always .*", warning)


def test_who_loses_in_a_power_cut_what_it_has_acknowledged_is_refused(tmp_path: Path) -> None:
    text, port = monitored(GOOD.replace(", sync_interval: always", ""))
    with pytest.raises(
        CannotHost, match=r"a power cut makes 127.0.0.1 lose .*: set jetstream \{ sync_interval: always \}"
    ):
        check(text, tmp_path, monitor_port=port)


@pytest.mark.parametrize(
    ("text", "replicas", "options", "said"),
    [
        (GOOD.replace("8MB", "1MB"), 1, {}, "messages of 1,048,576 bytes: set max_payload: 8MB"),
        ("max_payload: 8MB", 1, {}, "JetStream is off: enable it"),
        (GOOD + OTHER_ACCOUNT, 1, USER, "JetStream is not enabled for the account of these credentials"),
        (GOOD, 3, {}, "can't keep 3 copies .*: start more of them with JetStream, or say cluster_replicas="),
        (GOOD + "authorization { user: a, password: b }", 1, {}, "they refuse the credentials"),
        (GOOD + "authorization { user: a, password: b }", 1, {"user": "a", "password": "c"}, "they refuse the credentials"),
        (GOOD + READER, 1, USER, "not allowed what is needed"),
    ],
)  # fmt: skip
def test_what_has_to_be_changed_is_said(
    tmp_path: Path, text: str, replicas: int, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(CannotHost, match=said) as refused:
        check(text, tmp_path, replicas, **options)
    assert str(refused.value).startswith("the brokers can't be used: ")


def test_everything_that_has_to_be_changed_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(CannotHost, match=r"max_payload.*; they can't keep 3 copies"):
        check(GOOD.replace("8MB", "1MB"), tmp_path, 3)


def test_brokers_that_are_away_are_a_warning() -> None:
    """All machines may have been started at once."""
    found = checked({"servers": [f"nats://127.0.0.1:{free_port()}"]}, 1, SPACE, seconds=0.5, monitor_port=free_port())
    assert found[0] == "none of the brokers could be asked whether they are set up well: they don't answer"


def test_a_broker_that_never_answers_holds_nobody_up() -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = silent.getsockname()[1]
        found = checked({"servers": [f"nats://127.0.0.1:{port}"]}, 1, SPACE, seconds=0.5, monitor_port=port)
    assert "they don't answer" in found[0]


def test_what_is_no_monitoring_is_not_believed(tmp_path: Path) -> None:
    """Something else may listen there: the broker itself does, in this test."""
    with single(tmp_path, GOOD) as server:
        (warning,) = checked({"servers": [server]}, 1, SPACE, monitor_port=int(server.rpartition(":")[2]))
    assert "can't be seen" in warning


def test_brokers_that_want_a_certificate_are_refused_however_they_hang_up(tmp_path: Path) -> None:
    """What is read of their hanging up is an alert of TLS, a reset or a broken pipe."""
    issued = SECRET.issued("broker", ["127.0.0.1"])
    for name, content in (("cert", issued.certificate), ("key", issued.key), ("ca", SECRET.authority)):
        (tmp_path / f"{name}.pem").write_bytes(content)
    files = ", ".join(f'{name}_file: "{tmp_path}/{name}.pem"' for name in ("cert", "key", "ca"))
    with pytest.raises(CannotHost, match=r"they want a certificate of each room server.*verify: false"):
        check(
            GOOD + f"tls {{ {files}, verify: true }}",
            tmp_path,
            tls=ssl.create_default_context(cadata=SECRET.authority.decode()),
        )
