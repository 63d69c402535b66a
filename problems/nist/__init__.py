"""Nonlinear regression: data sets of NIST with certified solutions."""
