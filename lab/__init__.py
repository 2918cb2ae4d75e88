"""The lab: what is done to PyroChat to see whether it holds what it says: faults, attacks, benchmarks."""
