"""The scenarios: each shows one thing that has to hold, with its figures and their bounds."""
