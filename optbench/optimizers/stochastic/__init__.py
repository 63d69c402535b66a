"""Methods that are about samples and noise."""
