"""Rooms without a server that are totally ordered: the engine of `orders.replicated` is Lamport's order (`core.graph.member`)."""
