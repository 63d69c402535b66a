"""Reports: read results, never run anything."""
