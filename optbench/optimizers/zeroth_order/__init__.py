"""Methods that ask for values alone."""
