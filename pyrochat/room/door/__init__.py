"""Who may come in: names and their keys, passwords, bans, limits."""
