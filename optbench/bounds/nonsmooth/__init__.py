"""Subgradients, proximal methods, the simplex, learning online, games and fixed points."""
