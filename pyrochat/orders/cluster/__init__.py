"""Rooms that a majority of NATS JetStream servers holds: they decide by Raft what comes next (`orders.replicated`)."""
