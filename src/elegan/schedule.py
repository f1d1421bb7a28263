"""How a number changes while training goes on: pure functions of the share of the budget that is spent."""

import math


def cosine(start: float, end: float, t: float, until: float = 1.0) -> float:
    """From ``start`` to ``end`` along half a cosine while t goes from 0 to ``until``, constant after.

    The burn-in of R3GAN (Huang et al., 2024, arXiv:2501.05441, appendix): v0 + ½(1 − cos πt/T)(v1 − v0).
    """
    share = min(1.0, max(0.0, t / until)) if until > 0 else 1.0
    return start + 0.5 * (1 - math.cos(math.pi * share)) * (end - start)


def log_cosine(start: float, end: float, t: float, until: float = 1.0) -> float:
    """The same path for the logarithm: both ends must be positive."""
    return math.exp(cosine(math.log(start), math.log(end), t, until))


def hold_then_cosine(start: float, end: float, t: float, hold: float, until: float = 1.0) -> float:
    """``start`` until the share ``hold``, then along half a cosine to ``end`` at ``until``, constant after."""
    return cosine(start, end, t - hold, until - hold) if t > hold else start


def warm_up(images: int, over: int) -> float:
    """A factor that grows from just above 0 to 1 while the first ``over`` images are shown."""
    return min(1.0, (images + 1) / over) if over > 0 else 1.0
