"""The brokers: nats-server processes, one a machine, that agree on what comes next."""
