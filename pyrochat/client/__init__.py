"""The client's side: replica, callback, connection, and the `Chat` that programs use."""
