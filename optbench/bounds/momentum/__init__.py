"""Acceleration, momentum and conjugate gradients, and what no first-order method can do."""
