"""The embedded name server: what stock Pyro5 expects of one, without what strangers could do to it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from Pyro5.api import URI, Proxy, locate_ns
from Pyro5.errors import NamingError

from pyrochat import CannotHost
from pyrochat.pyro.embedded import EmbeddedNameServer
from tests.support import SERIALIZER_NAMES, free_port


@pytest.fixture
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """The port of a name server, with the bounds that a test is parametrized with."""
    port = free_port()
    nameserver = EmbeddedNameServer("localhost", port, **getattr(request, "param", {}))
    yield port
    nameserver.close()


@pytest.fixture(params=SERIALIZER_NAMES)
def names(port: int, request: pytest.FixtureRequest) -> Iterator[Proxy]:
    with locate_ns("localhost", port) as proxy:
        proxy._pyroSerializer = request.param
        yield proxy


def test_stock_pyro5_registers_finds_lists_and_removes(names: Proxy) -> None:
    names.register("mine", URI("PYRO:object@localhost:9999"))
    names.register("text", "PYRO:other@localhost:9998", metadata=["a", "b"])
    assert names.lookup("mine") == URI("PYRO:object@localhost:9999")
    assert names.list("m") == {"mine": "PYRO:object@localhost:9999"}
    assert set(names.list()) == {"Pyro.NameServer", "mine", "text"}
    if names._pyroSerializer == "serpent":  # the others can't carry Pyro5's sets of metadata
        assert names.list("text", return_metadata=True)["text"][1] == {"a", "b"}
        assert set(names.yplookup(meta_any=["b"])) == {"text"}
    with pytest.raises(NamingError, match="already registered"):
        names.register("mine", "PYRO:x@localhost:1", safe=True)
    assert names.remove("mine") == 1
    with pytest.raises(NamingError, match="unknown name"):
        names.lookup("mine")


def test_a_regular_expression_is_refused(names: Proxy) -> None:
    for call in (names.list, names.remove):
        with pytest.raises(NamingError, match="no regular expressions"):
            call(regex="(a+)+$")


def test_what_is_no_uri_is_refused(names: Proxy) -> None:
    for nonsense in (5, None, ["PYRO:x@localhost:1"], "no uri"):
        with pytest.raises(Exception, match=r"URI|uri|registered"):
            names.register("x", nonsense)


@pytest.mark.parametrize("port", [{"most_names": 2}], indirect=True)
def test_it_does_not_grow_without_end(names: Proxy) -> None:
    names.register("one", "PYRO:x@localhost:1")
    with pytest.raises(NamingError, match="remove some"):
        names.register("two", "PYRO:x@localhost:1")
    names.register("one", "PYRO:x@localhost:2")


@pytest.mark.parametrize("odd", [5, None, [], [[]], {"a": []}, "x", 1.5])
def test_found_9_odd_arguments_are_a_naming_error_and_no_defect(
    names: Proxy, odd: object, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[tuple[str, list[object]]] = [
        ("lookup", [odd]), ("register", ["x", "PYRO:x@localhost:1", False, odd]), ("register", [odd, odd]),
        ("register", ["x", odd]), ("set_metadata", [odd, odd]), ("set_metadata", ["x", odd]), ("remove", [odd, odd]),
        ("list", [odd]), ("yplookup", [odd]), ("yplookup", [None, odd]), ("yplookup", [odd, odd]),
    ]  # fmt: skip
    for method, arguments in calls:
        try:
            names._pyroInvoke(method, arguments, {})
        except NamingError:
            continue
    assert caplog.records == []


def test_found_3_names_are_bounded_in_bytes(names: Proxy) -> None:
    def fill() -> None:
        for number in range(200):
            names.register(f"{number}", "PYRO:x@localhost:1", metadata=["x" * 30_000])

    with pytest.raises(NamingError, match="bytes of names already: remove some"):
        fill()
    assert 50 < names.count() < 75
    assert names.remove("1") == 1
    names.register("1", "PYRO:x@localhost:1", metadata=["x" * 30_000])
    names.register("1", "PYRO:x@localhost:2", metadata=["y" * 30_000])


def test_a_port_that_is_in_use_is_said(port: int) -> None:
    with pytest.raises(CannotHost, match="set PYRO_NS_PORT to a free port"):
        EmbeddedNameServer("localhost", port)
