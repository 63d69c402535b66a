"""Likelihoods, posteriors and policies."""
