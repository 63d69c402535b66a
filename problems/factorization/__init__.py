"""Matrices as products of others, and their eigenvectors."""
