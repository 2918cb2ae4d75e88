"""Rooms without a server: what a site says goes into a graph that all sites hold together. See `core.graph`."""
