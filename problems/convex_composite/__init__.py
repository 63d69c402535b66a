"""Convex functions with kinks, penalties or constraints."""
