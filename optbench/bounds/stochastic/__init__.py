"""Methods that see samples, rows or coordinates."""
