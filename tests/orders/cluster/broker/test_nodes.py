"""What an operator writes as a cluster, and which of its machines this one is."""

from __future__ import annotations

import pytest

from pyrochat.orders.cluster.broker.nodes import Node, is_there_already, nodes, oneself, urls
from pyrochat.values.errors import InvalidArgument


def test_machines_have_a_port_of_their_own_or_the_usual_one() -> None:
    assert nodes("a, b.example:7000,[2001:db8::1]:7100,[::1],192.0.2.1") == [
        Node("a", 6222), Node("b.example", 7000), Node("2001:db8::1", 7100), Node("::1", 6222), Node("192.0.2.1", 6222),
    ]  # fmt: skip


def test_the_other_ports_follow_the_first() -> None:
    node = Node("192.0.2.1", 7000)
    assert (node.client_port, node.monitor_port) == (7001, 7002)
    assert (node.name, Node("::1", 7000).name) == ("192.0.2.1:7000", "[::1]:7000")


@pytest.mark.parametrize(
    ("host", "shown"), [("192.0.2.1", "127.0.0.1"), ("127.0.0.3", "127.0.0.3"), ("::1", "127.0.0.1")]
)
def test_nobody_on_the_network_sees_how_a_broker_is(host: str, shown: str) -> None:
    assert Node(host).monitor_host == shown


@pytest.mark.parametrize(
    "text", ["", "a,,b", "a:", "a:0", "a:65534", "a:x", "a:١", "::1", "[::1", "a b", "http://a", "a/b", "a:1:2"]
)
def test_what_is_no_list_of_machines_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        nodes(text)


@pytest.mark.parametrize("text", ["a,b,a", "a,a:6222"])
def test_a_machine_stands_there_once(text: str) -> None:
    with pytest.raises(InvalidArgument, match="twice"):
        nodes(text)


def test_a_cluster_has_nine_machines_at_the_most() -> None:
    assert len(nodes(",".join("abcdefghi"))) == 9
    with pytest.raises(InvalidArgument, match="9 machines at the most"):
        nodes(",".join("abcdefghij"))


def test_brokers_that_are_there_are_told_by_their_scheme() -> None:
    assert all(map(is_there_already, ["nats://a:4222", " tls://a", "NATS://a"]))
    assert not any(map(is_there_already, ["nats,b", "a:6222"]))
    assert urls("nats://a,tls://b:1,Nats://[::1]:5/") == ["nats://a:4222", "tls://b:1", "nats://[::1]:5"]


@pytest.mark.parametrize(
    "text", ["nats://a,b", "nats://", "nats://a:x", "nats://a,", "nats://a,http://b", "nats://a,nats://a:4222"]
)
def test_what_is_no_list_of_brokers_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument):
        urls(text)


def test_credentials_have_no_place_on_a_command_line() -> None:
    with pytest.raises(InvalidArgument, match="cluster_credentials=") as refused:
        urls("nats://user:secret@a:4222")
    assert "secret" not in str(refused.value)


def test_oneself_is_who_is_called_as_advertised() -> None:
    loopback = nodes("127.0.0.1,127.0.0.2,127.0.0.3")
    assert oneself(loopback, "127.0.0.2") == loopback[1]


def test_oneself_is_who_has_a_local_address() -> None:
    among = nodes("203.0.113.1,127.0.0.1,203.0.113.2")
    assert oneself(among, None) == oneself(among, "chat.example") == among[1]


@pytest.mark.parametrize(
    ("text", "said"),
    [("203.0.113.1,203.0.113.2", "none of the machines"), ("127.0.0.1,127.0.0.2", "several of the machines")],
)
def test_who_does_not_know_which_it_is_says_how_to_tell_it(text: str, said: str) -> None:
    with pytest.raises(InvalidArgument, match=rf"{said} .* say which it is with advertise="):
        oneself(nodes(text), None)
