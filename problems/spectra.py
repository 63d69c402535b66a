"""What the spectrum of its Hessian says of a quadratic."""

from __future__ import annotations

from optbench.problem import Constants


def quadratic_constants(
    smoothness: float,
    strong_convexity: float,
    *,
    gradient_bound: float | None = None,
    noise_variance: float | None = None,
) -> Constants:
    """Of a convex quadratic with these extreme eigenvalues, both attained: M = 0."""
    return Constants(
        smoothness=float(smoothness),
        strong_convexity=float(strong_convexity),
        hessian_lipschitz=0.0,
        gradient_bound=gradient_bound,
        noise_variance=noise_variance,
        convex=True,
        quadratic=True,
        sharp=True,
    )
