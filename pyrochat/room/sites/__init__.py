"""The sites of causal rooms, over Pyro5: what they answer to each other, how they call, and where they look for each other."""
