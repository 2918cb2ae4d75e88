"""The contestants, by name."""

from lab.benchmarks.peers.bare import Bare
from lab.benchmarks.peers.course import Course
from lab.benchmarks.peers.interface import Peer
from lab.benchmarks.peers.irc import Irc
from lab.benchmarks.peers.jetstream import JetStream
from lab.benchmarks.peers.nats_core import NatsCore
from lab.benchmarks.peers.pyrochat_peer import EmptyMethod, PyroChat, UnconfirmedPyroChat, UnindexedPyroChat

ALL: tuple[type[Peer], ...] = (
    PyroChat, Course, Irc, NatsCore, JetStream, Bare, UnconfirmedPyroChat,
    UnindexedPyroChat, EmptyMethod,
)  # fmt: skip
PEERS: dict[str, Peer] = {peer.name: peer() for peer in ALL}
OTHERS = ("course", "ngircd", "nats", "jetstream")
"""The peers: sockets as a course teaches them, a chat server, a broker, a durable broker."""
