"""The peers, one a file, and what they share."""
