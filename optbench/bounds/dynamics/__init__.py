"""Methods as dynamical systems: flows, Langevin dynamics, thresholds of stability."""
