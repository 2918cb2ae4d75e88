"""The three commands: options in, exit codes out."""
