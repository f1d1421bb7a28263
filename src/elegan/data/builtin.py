"""Data that needs no download: handwritten digits, and two mixtures of Gaussians with a known truth."""

import numpy as np

from elegan.data.dataset import Data, Modes
from elegan.data.found import Found
from elegan.data.split import make_split

POINTS = 50_000
NAMES = ("digits", "digits-styles", "avatars", "ring", "grid")
MADE = "made from the seed; free of rights"


def digits() -> Found:
    """1,797 handwritten digits, white on black: 8x8 pixels of 0 to 16, scaled to 0 to 255, shown at 16x16."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    return Found(
        name="digits",
        source="Optical Recognition of Handwritten Digits (Alpaydin, Kaynak; UCI, 1998), from scikit-learn",
        images=images[..., None],
        labels=np.asarray(bunch.target, np.int64),
        licence="CC BY 4.0 (UCI Machine Learning Repository)",
        default_size=16,
    )


def ring(seed: int) -> Data:
    """8 Gaussians of sigma 0.01 on the unit circle (the test of Metz et al., 2017, arXiv:1611.02163)."""
    angles = 2 * np.pi * np.arange(8) / 8
    return _mixture("ring", np.stack([np.cos(angles), np.sin(angles)], axis=1), 0.01, seed)


def grid(seed: int) -> Data:
    """25 Gaussians of sigma 0.05 on a 5x5 grid with spacing 2 (as in Lin et al., 2018, arXiv:1712.04086)."""
    axis = np.arange(-4.0, 5.0, 2.0)
    rows, columns = np.meshgrid(axis, axis, indexing="ij")
    return _mixture("grid", np.stack([rows.ravel(), columns.ravel()], axis=1), 0.05, seed)


def _mixture(name: str, centres: np.ndarray, sigma: float, seed: int) -> Data:
    """Points drawn from equal Gaussians; ``scale`` is the exact root mean square of a coordinate."""
    generator = np.random.default_rng(np.random.SeedSequence(seed))
    modes = generator.integers(len(centres), size=POINTS)
    points = centres[modes] + sigma * generator.standard_normal((POINTS, 2))
    return Data(
        name=name,
        items=points.astype(np.float32),
        labels=None,
        classes=(),
        split=make_split(np.zeros(POINTS, np.int64), seed),
        licence=MADE,
        source=f"{len(centres)} Gaussians, seed {seed}",
        notes=(f"{POINTS:,} points of {len(centres)} Gaussians, sigma {sigma:g}, come from seed {seed}.",),
        scale=float(np.sqrt((centres**2).mean() + sigma**2)),
        modes=Modes(centres, sigma),
    )
