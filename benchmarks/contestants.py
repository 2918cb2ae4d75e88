"""The contestants, by name."""

from __future__ import annotations

from benchmarks.peers.bare import Bare
from benchmarks.peers.chatbox import ChatBox
from benchmarks.peers.course import Course
from benchmarks.peers.interface import Peer
from benchmarks.peers.irc import Irc
from benchmarks.peers.jetstream import JetStream
from benchmarks.peers.nats_core import NatsCore
from benchmarks.peers.pyrochat_peer import EmptyMethod, PyroChat, UnconfirmedPyroChat, UnindexedPyroChat
from benchmarks.peers.redis_peer import Redis
from benchmarks.peers.zeromq import ZeroMq

__all__ = ["ALL", "OTHERS", "PEERS"]

ALL: tuple[type[Peer], ...] = (
    PyroChat, Course, ChatBox, Irc, Redis, NatsCore, JetStream, ZeroMq, Bare, UnconfirmedPyroChat,
    UnindexedPyroChat, EmptyMethod,
)  # fmt: skip
PEERS: dict[str, Peer] = {peer.name: peer() for peer in ALL}
OTHERS = ("course", "chatbox", "ngircd", "redis", "nats", "jetstream", "zeromq")
"""The peers (a) to (g)."""
