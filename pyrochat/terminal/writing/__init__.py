"""What goes on at the composer: completion, what was typed before, drafts that are never lost, the way out."""
