"""Who is who: keys, what is signed, passwords, certificates. Knows no socket and no room."""
