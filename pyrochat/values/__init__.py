"""Values: what everything else speaks in. Messages, confirmations, errors, rules. No I/O, no state."""
