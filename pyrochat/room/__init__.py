"""The room's side: the log on disk, group commit, multicast, the remote objects, the server."""
