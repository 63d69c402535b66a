"""Data sets of average difficulty."""

from __future__ import annotations

from optbench.problem import Problem
from problems.nist.fits import fit
from problems.nist.models import (
    Rational,
    accelerated_aging,
    hyperbolic_saturation,
    inverse_root_saturation,
    quantum_defect,
    raised_exponentials,
    three_cycles,
    three_exponentials,
    two_peaks,
)


def nist_kirby2(start: int = 1, batch_size: int | None = None) -> Problem:
    """Kirby2: line widths in a scanning electron microscope.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 151 observations, with m =
    (b1 + b2 x + b3 x^2) / (1 + b4 x + b5 x^2).

    Dimension: 5. Start: (2, -0.1, 0.003, -0.001, 1e-05), or near x*: (1.5, -0.15, 0.0025, -0.0015,
    2e-05); other seeds multiply each coordinate by 1 + 0.1 times a standard normal.
    x*: (1.67451, -0.139274, 0.00259612, -0.00172418, 2.16648e-05), certified to 11 digits. f*:
    3.9050739624E+00 / 302, the certified residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, Kirby2; Kirby, "Scanning electron microscope line width
    standards".

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("Kirby2", Rational(2), start, batch_size)


def nist_hahn1(start: int = 1, batch_size: int | None = None) -> Problem:
    """Hahn1: thermal expansion y of copper against temperature x.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 236 observations, with m =
    (b1 + b2 x + b3 x^2 + b4 x^3) / (1 + b5 x + b6 x^2 + b7 x^3).
    A local minimum, with a pole between two observations, has a residual sum of 26.4145.

    Dimension: 7. Start: (10, -1, 0.05, -1e-05, -0.05, 0.001, -1e-06), or near x*: (1, -0.1, 0.005,
    -1e-06, -0.005, 0.0001, -1e-07); other seeds multiply each coordinate by 1 + 0.1 times a
    standard normal.
    x*: (1.07764, -0.122693, 0.00408638, -1.42627e-06, -0.00576099, 0.000240537, -1.23145e-07),
    certified to 11 digits. f*: 1.5324382854E+00 / 472, the certified residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, Hahn1; Hahn, "Copper thermal expansion study".

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("Hahn1", Rational(3), start, batch_size)


def nist_nelson(start: int = 1, batch_size: int | None = None) -> Problem:
    """Nelson: breakdown voltage y after x1 weeks at x2 degrees.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 128 observations, m = b1 - b2 x1 exp(-b3 x2).
    The response is log y. A local minimum, where it rises with time, has a residual sum of 51.6718.

    Dimension: 3. Start: (2, 0.0001, -0.01), or near x*: (2.5, 5e-09, -0.05); other seeds multiply
    each coordinate by 1 + 0.1 times a standard normal.
    x*: (2.59068, 5.61777e-09, -0.057701), certified to 11 digits. f*: 3.7976833176E+00 / 256, the
    certified residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, Nelson; Nelson (1981), IEEE Transactions on Reliability
    R-30(2), pages 149-155.

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("Nelson", accelerated_aging, start, batch_size)


def nist_mgh17(start: int = 1, batch_size: int | None = None) -> Problem:
    """MGH17: Osborne's two exponentials.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 33 observations, with m =
    b1 + b2 exp(-b4 x) + b3 exp(-b5 x).
    The exponentials may be exchanged: 2 equal minima. Where b4 = b5 only b2 + b3 counts: a valley
    that solvers from start 1 may follow for long.

    Dimension: 5. Start: (50, 150, -100, 1, 2), or near x*: (0.5, 1.5, -1, 0.01, 0.02); other seeds
    multiply each coordinate by 1 + 0.1 times a standard normal.
    x*: (0.37541, 1.93585, -1.46469, 0.0128675, 0.0221227), certified to 11 digits. f*:
    5.4648946975E-05 / 66, the certified residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, MGH17; Osborne (1972), "Some aspects of nonlinear least
    squares calculations", pages 171-189.

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("MGH17", raised_exponentials, start, batch_size)


def nist_lanczos1(start: int = 1, batch_size: int | None = None) -> Problem:
    """Lanczos1: three exponentials, rounded to 14 digits.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 24 observations, with m =
    b1 exp(-b2 x) + b3 exp(-b4 x) + b5 exp(-b6 x).
    The terms may be exchanged: 6 equal minima. In float64, x* is accurate to rounding, and the
    value there to 3 digits: it is itself rounding.

    Dimension: 6. Start: (1.2, 0.3, 5.6, 5.5, 6.5, 7.6), or near x*: (0.5, 0.7, 3.6, 4.2, 4, 6.3);
    other seeds multiply each coordinate by 1 + 0.1 times a standard normal.
    x*: (0.0951, 1, 0.8607, 3, 1.5576, 5), certified to 11 digits. f*: 1.4307867721E-25 / 48, the
    certified residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, Lanczos1; Lanczos (1956), "Applied analysis", pages
    272-280.

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("Lanczos1", three_exponentials, start, batch_size)


def nist_lanczos2(start: int = 1, batch_size: int | None = None) -> Problem:
    """Lanczos2: three exponentials, rounded to 6 digits.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 24 observations, with m =
    b1 exp(-b2 x) + b3 exp(-b4 x) + b5 exp(-b6 x).
    The terms may be exchanged: 6 equal minima.

    Dimension: 6. Start: (1.2, 0.3, 5.6, 5.5, 6.5, 7.6), or near x*: (0.5, 0.7, 3.6, 4.2, 4, 6.3);
    other seeds multiply each coordinate by 1 + 0.1 times a standard normal.
    x*: (0.096251, 1.00573, 0.864247, 3.00783, 1.5529, 5.00288), certified to 11 digits. f*:
    2.2299428125E-11 / 48, the certified residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, Lanczos2; Lanczos (1956), "Applied analysis", pages
    272-280.

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("Lanczos2", three_exponentials, start, batch_size)


def nist_gauss3(start: int = 1, batch_size: int | None = None) -> Problem:
    """Gauss3: two strongly blended peaks on a decaying baseline.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 250 observations, with m =
    b1 exp(-b2 x) + b3 exp(-((x - b4) / b5)^2) + b6 exp(-((x - b7) / b8)^2).
    The peaks may be exchanged and b5, b8 change sign: 8 equal minima. Two of its local minima have
    residual sums of 7658.89 and 10164.2.

    Dimension: 8. Start: (94.9, 0.009, 90.1, 113, 20, 73.8, 140, 20), or near x*: (96, 0.0096, 80,
    110, 25, 74, 139, 25); other seeds multiply each coordinate by 1 + 0.1 times a standard normal.
    x*: (98.9404, 0.0109459, 100.696, 111.636, 23.3005, 73.705, 147.762, 19.6682), certified to 11
    digits. f*: 1.2444846360E+03 / 500, the certified residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, Gauss3; Rust (1996).

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("Gauss3", two_peaks, start, batch_size)


def nist_misra1c(start: int = 1, batch_size: int | None = None) -> Problem:
    """Misra1c: adsorbed volume y against pressure x.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 14 observations, with m =
    b1 (1 - (1 + 2 b2 x)^(-1/2)).
    Not finite where 1 + 2 b2 x <= 0.

    Dimension: 2. Start: (500, 0.0001), or near x*: (600, 0.0002); other seeds multiply each
    coordinate by 1 + 0.1 times a standard normal.
    x*: (636.427, 0.000208136), certified to 11 digits. f*: 4.0966836971E-02 / 28, the certified
    residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, Misra1c; Misra (1978), "Dental research monomolecular
    adsorption study".

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("Misra1c", inverse_root_saturation, start, batch_size)


def nist_misra1d(start: int = 1, batch_size: int | None = None) -> Problem:
    """Misra1d: adsorbed volume y against pressure x.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 14 observations, m = b1 b2 x / (1 + b2 x).

    Dimension: 2. Start: (500, 0.0001), or near x*: (450, 0.0003); other seeds multiply each
    coordinate by 1 + 0.1 times a standard normal.
    x*: (437.37, 0.000302273), certified to 11 digits. f*: 5.6419295283E-02 / 28, the certified
    residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, Misra1d; Misra (1978), "Dental research monomolecular
    adsorption study".

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("Misra1d", hyperbolic_saturation, start, batch_size)


def nist_roszman1(start: int = 1, batch_size: int | None = None) -> Problem:
    """Roszman1: quantum defects y of excited states x.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 25 observations, with m =
    b1 - b2 x - arctan(b3 / (x - b4)) / pi.

    Dimension: 4. Start: (0.1, -1e-05, 1000, -100), or near x*: (0.2, -5e-06, 1200, -150); other
    seeds multiply each coordinate by 1 + 0.1 times a standard normal.
    x*: (0.201969, -6.19535e-06, 1204.46, -181.343), certified to 11 digits. f*: 4.9484847331E-04 /
    50, the certified residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, Roszman1; Roszman, "Quantum defects for sulfur I atom".

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("Roszman1", quantum_defect, start, batch_size)


def nist_enso(start: int = 1, batch_size: int | None = None) -> Problem:
    """ENSO: monthly pressure differences, Easter Island and Darwin.

    f(b) = sum_i (y_i - m(x_i; b))^2 / (2 n) over n = 168 observations, with m =
    b1 + b2 cos(2 pi x / 12) + b3 sin(2 pi x / 12)
    + b5 cos(2 pi x / b4) + b6 sin(2 pi x / b4) + b8 cos(2 pi x / b7) + b9 sin(2 pi x / b7).
    Four of its local minima have residual sums of 853.052, 889.081, 957.641 and 981.382: wrong
    periods.

    Dimension: 9. Start: (11, 3, 0.5, 40, -0.7, -1.3, 25, -0.3, 1.4), or near x*: (10, 3, 0.5, 44,
    -1.5, 0.5, 26, -0.1, 1.5); other seeds multiply each coordinate by 1 + 0.1 times a standard
    normal.
    x*: (10.5107, 3.07621, 0.532801, 44.3111, -1.62314, 0.525545, 26.8876, 0.212323, 1.49669),
    certified to 11 digits. f*: 7.8853978668E+02 / 336, the certified residual sum over 2 n.
    Constants: f is not convex, and no constant holds globally.

    Source: NIST StRD nonlinear regression, ENSO; Kahaner, Moler & Nash (1989), "Numerical methods
    and software", pages 441-445.

    Args:
        start: 1 (far) or 2 (near), in NIST's count.
        batch_size: observations per sampled gradient; None for all.

    Raises:
        OptbenchError: the start or the batch size is out of range.
    """
    return fit("ENSO", three_cycles, start, batch_size)
