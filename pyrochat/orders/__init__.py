"""Orders: who decides what comes next in a room (`core.order`). Each knows the core and its engine, and nothing else."""
