"""Adaptive, signed, normalized and clipped steps."""
