"""Regression: linear models of numbers and of counts."""
