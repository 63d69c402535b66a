"""Optimizers of libraries by name: each module offers `entries()`, label -> factory."""
