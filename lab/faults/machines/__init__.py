"""Three machines of a cluster, and what can happen to them: in network namespaces, or, where nobody is root, on loopback."""
