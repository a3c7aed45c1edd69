"""The command line: one file per command; a posting run imports only `parser`."""
