"""Pictures of the full-screen client for the README, made from a real room."""
