"""Smooth convex functions that are no quadratics."""
