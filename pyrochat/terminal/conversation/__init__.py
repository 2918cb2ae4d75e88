"""What a conversation looks like: entries, lines, the part that is on the screen. No screen, no threads, no clock."""
