"""Newton's method and its kin, least squares, natural gradients."""
