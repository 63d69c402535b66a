"""Methods that follow the gradient: descent, momentum, conjugate gradients, manifolds."""
