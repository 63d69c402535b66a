"""Gradient descent: constant and silver steps, line searches."""
