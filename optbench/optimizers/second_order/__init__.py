"""Methods that use curvature: Newton, quasi-Newton and Gauss-Newton."""
