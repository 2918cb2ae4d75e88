"""Space-time diagrams of real runs, for docs/orders.md."""
