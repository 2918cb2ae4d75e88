"""The full-screen client: the one place that knows Textual. It draws what the rest of `terminal` says."""
