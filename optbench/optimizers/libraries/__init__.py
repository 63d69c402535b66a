"""Optimizers of other libraries, by name."""
