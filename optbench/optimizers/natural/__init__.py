"""Methods that measure steps in the distribution of the model: the natural gradient."""
