"""PyroChat in a program changes no global setting of Pyro5, and works under those that the program has."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from Pyro5 import config, errors, protocol, serializers, server, socketutil

from pyrochat import Chat, Server
from tests.support import Running, bare, eventually, texts


def surface(module: object) -> dict[str, object]:
    """The names of *module*, and those of its classes: what a patch would change."""
    found: dict[str, object] = dict(vars(module))
    for name, value in vars(module).items():
        if isinstance(value, type):
            found |= {f"{name}.{key}": attribute for key, attribute in vars(value).items()}
    return found


def test_nothing_of_pyro5_is_another_after_a_host_and_a_chat(
    request: pytest.FixtureRequest,
) -> None:
    modules = [protocol, serializers, server, socketutil, errors]
    before, surfaces = config.as_dict(), [surface(module) for module in modules]
    joined: Callable[..., Chat] = request.getfixturevalue("joined")
    ana, igor = joined("Ana"), joined("Igor")
    message = ana.send("hi")
    assert igor.wait_for(message.id, timeout=20) == message
    eventually(lambda: ana.confirmations(message.id).delivered_to == {"Igor"})
    assert config.as_dict() == before
    assert [surface(module) for module in modules] == surfaces


@pytest.mark.parametrize(
    "settings",
    [
        {"COMPRESSION": True},
        {"SERIALIZER": "json"},
        {"SERIALIZER": "marshal"},
        {"SERVERTYPE": "multiplex"},
        {"COMMTIMEOUT": 0.05},
        {"MAX_RETRIES": 3, "DETAILED_TRACEBACK": True, "LOGWIRE": True},
        {"THREADPOOL_SIZE": 1, "THREADPOOL_SIZE_MIN": 1, "SOCK_NODELAY": False},
    ],
    ids=lambda settings: " ".join(settings),
)
def test_a_chat_works_under_whatever_the_program_has_set(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, settings: dict[str, object]
) -> None:
    for name, value in settings.items():
        monkeypatch.setattr(config, name, value)
    joined: Callable[..., Chat] = request.getfixturevalue("joined")
    ana, igor = [Running(lambda name=name: joined(name)).result(20) for name in ("Ana", "Igor")]
    assert isinstance(ana, Chat)
    assert isinstance(igor, Chat)
    sent = ana.send_many(["x" * 1000, "y" * 1000])
    assert igor.wait_for(sent[-1].id, timeout=20) == sent[-1]
    assert texts(igor.history()) == ["x" * 1000, "y" * 1000]


def test_marshal_is_refused(server: Server) -> None:
    """It is unsafe to read from strangers, and a stranger picks the serializer."""
    with bare(server, "Erick", "marshal") as proxy, pytest.raises(errors.PyroError):
        proxy.post("hi")
    with bare(server, "Erick") as proxy:
        assert proxy.history() == []
