"""Networks that train in seconds on a CPU, most of them with a known minimum."""
