"""Functions that theorems are tight on, or that show what a method cannot do."""
