"""Plays the GANs whose truth is known, prints measured rates beside closed forms, and draws their phase portraits.

    python examples/known_truth.py --out known-truth [--still]

Writes bilinear, dirac, principal and mixtures as .png, and the first two as .gif (not with --still): a minute or two.
The pictures are diagrams of what was measured, not samples of a trained generator, and carry no label that says so.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from linear_quadratic import Gaussian
from linear_quadratic import play as play_linear
from PIL import Image
from point_games import BILINEAR, LOST, PENALISED, UNPENALISED, Case, PointConfig, measured_modulus, play
from portraits import Portrait, bilinear_portrait, dirac_portrait, mixtures_picture, principal_picture, save, save_film

from elegan.data import open_data
from elegan.evaluation.modes import Mixture, mixture_modes

SAMPLES = 2_500
FRAMES, SHOWN_STEPS = 50, 160
SHOWN = (
    "none, simultaneous", "none, alternating", "WGAN, clipped at 1", "WGAN-GP, weight 0.15",
    "R1, γ = 0.3", "R1, γ = 1", "instance noise, σ = 1", "consensus, weight 1",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table, write the pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("known-truth"))
    parser.add_argument("--still", action="store_true", help="no animations")
    asked = parser.parse_args(arguments)
    asked.out.mkdir(parents=True, exist_ok=True)
    rates = print_rates()
    for name, portrait in (("bilinear", bilinear(rates)), ("dirac", dirac(rates))):
        save(portrait.still(), asked.out / f"{name}.png")
        if not asked.still:
            save_film(portrait.frames(FRAMES), asked.out / f"{name}.gif")
    save(principal(), asked.out / "principal.png")
    save(mixtures(), asked.out / "mixtures.png")
    return 0


def print_rates() -> dict[str, str]:
    """Play every game and print its rate beside the closed form; the captions by the games' names."""
    captions = {}
    print("| game | a step, measured | closed form |\n|---|---|---|")
    for kind, cases in (("bilinear", BILINEAR), ("Dirac-GAN", UNPENALISED + LOST + PENALISED)):
        for case in cases:
            radii = case.radii()
            measured = f"×{measured_modulus(radii):.4f}"
            if case.truth is None:
                captions[case.name] = f"never nearer than {radii.min():.2f}"
                print(f"| {kind}: {case.name} | never nearer than {radii.min():.2f} | doesn't converge |", flush=True)
                continue
            captions[case.name] = f"measured {measured}, truth ×{case.truth:.4f}"
            print(f"| {kind}: {case.name} | {measured} | ×{case.truth:.4f} |", flush=True)
    return captions


def bilinear(rates: dict[str, str], steps: int = 120) -> Portrait:
    """All methods from one start, and the average of the one that goes round in circles."""
    played = {case.name: play(case.config, steps, [[1.0], [1.0]]) for case in BILINEAR}
    paths = {name: path.places for name, path in played.items()} | {"average": played["alternating"].averages}
    captions = {case.name: f"{case.name}: {rates[case.name]}" for case in BILINEAR}
    return bilinear_portrait(paths, captions | {"average": "average of alternating"}, BILINEAR[0].config)


def dirac(rates: dict[str, str]) -> Portrait:
    """Who finds the equilibrium and who doesn't, all from (1, 1)."""
    cases = {case.name: case for case in UNPENALISED + LOST + PENALISED}
    return dirac_portrait([panel(cases[name], rates[name]) for name in SHOWN])


def panel(case: Case, caption: str) -> tuple[str, str, PointConfig, np.ndarray]:
    """One plane of the Dirac-GAN's picture."""
    places = play(case.config, SHOWN_STEPS, [[1.0], [1.0]]).places
    return case.name, caption, case.config, places


def principal() -> Image.Image:
    """The linear-quadratic GAN finds the principal components of its data."""
    flat, large = Gaussian((2.0, 0.3)), Gaussian((2.5, 1.6, 0.5, 0.3, 0.1))
    few = play_linear(flat, 1, 150_000, ticks=30)
    many = play_linear(large, 2, 1_000_000, ticks=50)
    print(f"linear-quadratic GAN: subspace error {many.errors[-1]:.4f}, Q {np.round(many.square, 3)}", flush=True)
    return principal_picture(flat, few, large, many)


def mixtures() -> Image.Image:
    """Perfect samplers of ring and grid, and one that has lost a mode and blurs the others."""
    random, panels = np.random.default_rng(1), []
    for title, name, modes, blur in (
        ("ring, a perfect sampler", "ring", 8, 1.0),
        ("ring, one mode lost, the rest blurred", "ring", 7, 2.0),
        ("grid, a perfect sampler", "grid", 25, 1.0),
    ):
        truth = open_data(name).modes
        assert truth is not None
        centres = truth.centres[random.integers(modes, size=SAMPLES)]
        samples = centres + blur * truth.sigma * random.standard_normal((SAMPLES, 2))
        count = mixture_modes(samples, truth.centres, truth.sigma)
        print(
            f"{title}: {count.found} modes, within 3σ {count.high_quality:.3f}, KL {count.divergence:.4f}", flush=True
        )
        panels.append((title, samples, Mixture(truth.centres, truth.sigma), count))
    return mixtures_picture(panels)


if __name__ == "__main__":
    sys.exit(main())
