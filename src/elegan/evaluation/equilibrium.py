"""How far a game is from its equilibrium: what either side gains when it alone may go on.

The value of the game is V = E[−log(1 + e^−(D(x) − D(G(z))))], which D raises and G lowers; at the equilibrium D tells
nothing apart and V is −log 2.  Each probe lets one side play on for a few steps by the game's own rules, on training
items, and reads V on items that those steps never saw.  That the game as it is trained isn't zero-sum (Goodfellow's
non-saturating loss, penalties on slopes) makes V a measure and not what is descended.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import log, nan, sqrt

import numpy as np
from jaxtyping import Float, Integer, Shaped
from scipy.stats import binom
from torch import Tensor

from elegan.evaluation.belief import Pairs, Scores, one_label
from elegan.evaluation.estimate import NORMAL_95, Estimate, share
from elegan.evaluation.fidelity import kernel_distance
from elegan.evaluation.sparring import (
    Pool,
    Replay,
    Rules,
    isolated,
    nudge,
    play_on,
    samples_of,
    scores_of,
    undisturbed,
)
from elegan.game import Game, Random

BALANCE = -log(2)
"""V at the equilibrium."""
PERTURBATION = 0.01
"""Standard deviation of the noise that a best response starts with, in units of each tensor's root mean square."""
STEP_SIZES = (0.01, 0.03)
Values = Shaped[np.ndarray, "n m"]


@dataclass(frozen=True)
class Sides:
    """Reals and what is to be told apart from them: to play on with, and held out to read V from."""

    reals: Pool
    fakes: Pool
    held_reals: Pool
    held_fakes: Pool
    latents: int = 0
    """The seed of the latent points that ``held_fakes`` were sampled from (:func:`samples_of`)."""


def best_response(game: Game, fakes: Sides, reals: Sides, rules: Rules) -> Estimate:
    """Δ_D: by how much V rises when the discriminator plays on while the generator stands still.

    A discriminator that is at its best has nothing to gain, nor has one that nothing is left to: it says how far D
    lags.  The sides ``reals`` have reals for fakes: what the same steps give there is the null, that of a generator
    as good as data.  The intervals are over the held-out items.
    """
    found, null = (_gain(game, sides, rules) for sides in (fakes, reals))
    return _estimate(found, null, len(fakes.held_reals))


def duality_gap(game: Game, fakes: Sides, reals: Sides, rules: Rules, *, seeds: int = 2) -> Estimate:
    """max_D V − min_G V, each with the other side where it stands, after ``rules.steps`` steps; 0 at an equilibrium.

    A **lower bound**: a response found in a few steps isn't the best one.  Each side starts from its parameters with
    a little noise, for without it a stationary point that is no equilibrium holds it fast (perturbed duality gap:
    Sidheekh et al., 2021, IJCNN; the gap itself: Grnarova et al., 2019, NeurIPS).  The null is what the discriminator's
    side gives with reals for fakes, the generator's side being −log 2 there, since nobody gains by a discriminator
    that sees no difference.  Gaps of different networks aren't comparable.
    """
    counted = one_label(*(_unscored(pool) for pool in (fakes.held_reals, fakes.held_fakes)))
    gaps = [_gap(game, fakes, replace(rules, seed=rules.seed + seed)) for seed in range(seeds)]
    means = [Pairs.of(gap, counted).mean for gap in gaps]
    between_seeds = float(np.var(means, ddof=1)) / seeds if seeds > 1 else 0.0
    against_reals = _discriminator_responds(game, reals, rules, PERTURBATION)
    counted_reals = one_label(*(_unscored(pool) for pool in (reals.held_reals, reals.held_fakes)))
    null = Pairs.of(against_reals - BALANCE, counted_reals)
    return _estimate(Pairs.of(np.mean(gaps, axis=0), counted), null, len(fakes.held_reals), between_seeds)


def worse_after_step(
    game: Game, embed: Callable[[Tensor], Float[np.ndarray, "n d"]], reals: Float[np.ndarray, "r d"],
    labels: Integer[Tensor, " n"] | None, *, n: int, sizes: Sequence[float] = STEP_SIZES, draws: int = 6, seed: int = 0,
) -> tuple[Estimate, Estimate]:  # fmt: skip
    """The share of small random steps of the generator that made KID worse, and their mean change of KID.

    At an equilibrium any small change of the generator makes it worse; far from one as many make it better.  A step
    adds noise to each tensor of parameters, of ``sizes`` times its root mean square, and the same n latent points are
    judged before and after it; each of ``draws`` draws has its own.  ``embed`` turns samples into features, ``reals``
    are those of held-out reals.  Null of the share: ½, with the binomial's interval.  Null of the change: 0, with what
    other latent points alone do to KID.
    """
    game = isolated(game)
    generator = game.get_submodule("generator")
    start = {name: tensor.clone() for name, tensor in generator.state_dict().items()}

    def distance(draw: int) -> float:
        return kernel_distance(embed(samples_of(game, labels, n, seed=seed + draw).items), reals)

    before, after = np.zeros(draws), np.zeros((draws, len(sizes)))
    for draw in range(draws):
        before[draw] = distance(draw)
        for place, size in enumerate(sizes):
            nudge(generator, size, Random((seed, draw, place)))
            after[draw, place] = distance(draw)
            generator.load_state_dict(start)
    return _worse(before, after - before[:, None])


def _worse(before: Float[np.ndarray, " draws"], changes: Float[np.ndarray, "draws sizes"]) -> tuple[Estimate, Estimate]:
    steps, draws = changes.size, len(before)
    found = share(int((changes > 0).sum()), steps, 0.5)
    low, high = (float(binom.ppf(q, steps, 0.5)) / steps for q in (0.025, 0.975))
    by_draw = changes.mean(axis=1)
    half, chance = (NORMAL_95 * _deviation(x) / sqrt(draws) for x in (by_draw, before * sqrt(2)))
    mean = float(by_draw.mean())
    return (
        replace(found, null_low=low, null_high=high),
        Estimate(mean, mean - half, mean + half, steps, 0.0, -chance, chance),
    )


def _deviation(values: Float[np.ndarray, " n"]) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else nan


def _gap(game: Game, sides: Sides, rules: Rules) -> Values:
    """max_D V − min_G V for every pair of a held-out real and a latent point."""
    raised = _discriminator_responds(game, sides, rules, PERTURBATION)
    with undisturbed(game):
        copy = isolated(game)
        nudge(copy.get_submodule("generator"), PERTURBATION, Random((rules.seed, 1)))
        play_on(copy, "generator", sides.reals, rules)
        fakes = sides.held_fakes
        answered = samples_of(copy, fakes.labels, len(fakes), sides.latents)
    return raised - _value(game, sides.held_reals, answered)


def _gain(game: Game, sides: Sides, rules: Rules) -> Pairs:
    """V after the discriminator has played on, less V before."""
    before = _value(game, sides.held_reals, sides.held_fakes)
    counted = one_label(_unscored(sides.held_reals), _unscored(sides.held_fakes))
    return Pairs.of(_discriminator_responds(game, sides, rules) - before, counted)


def _discriminator_responds(game: Game, sides: Sides, rules: Rules, perturbation: float = 0.0) -> Values:
    """V for every pair of held-out items, [n, m], after the discriminator has played on against fixed fakes."""
    with undisturbed(game):
        copy = isolated(game)
        nudge(copy.get_submodule("discriminator"), perturbation, Random((rules.seed, 0)))
        copy.generator = Replay(sides.fakes, rules.seed)
        play_on(copy, "discriminator", sides.reals, rules)
        return _value(copy, sides.held_reals, sides.held_fakes)


def _value(game: Game, reals: Pool, fakes: Pool) -> Values:
    """−log(1 + e^−(D(x) − D(G(z)))) for every pair, [n, m]."""
    real, fake = scores_of(game, reals).logits, scores_of(game, fakes).logits
    return -np.logaddexp(0.0, fake[None] - real[:, None])


def _unscored(pool: Pool) -> Scores:
    return Scores(np.zeros(len(pool)), None if pool.labels is None else pool.labels.cpu().numpy())


def _estimate(found: Pairs, null: Pairs, n: int, variance: float = 0.0) -> Estimate:
    """A mean over pairs beside its null, with the variance between seeds added to that over items."""
    half, chance = NORMAL_95 * sqrt(found.deviation**2 + variance), NORMAL_95 * null.deviation
    return Estimate(
        found.mean, found.mean - half, found.mean + half, n, null.mean, null.mean - chance, null.mean + chance
    )
