"""Methods that scale the gradient by those they have seen: Adam, its kin, and preconditioners."""
