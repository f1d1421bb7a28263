"""The report's sections, each a function from a case to JSON."""

from collections.abc import Mapping, Sequence

import numpy as np

from elegan.evaluation import health, memorisation, support
from elegan.evaluation.bins import balance, beside, find_bins
from elegan.evaluation.case import MOST_NEIGHBOURS, Case
from elegan.evaluation.estimate import Figure
from elegan.evaluation.features import as_pixels
from elegan.evaluation.fidelity import fidelity as measures_of_fidelity
from elegan.evaluation.gaussian import fit_gaussian
from elegan.evaluation.modes import Mixture, ModeCount, mixture_modes, mode_estimates, mode_names
from elegan.evaluation.sliced import sliced_estimate
from elegan.evaluation.two_sample import two_sample_section
from elegan.evaluation.views import nearness_in_views

UNBALANCED = ("missing", "scarce", "overdone")


def fidelity(case: Case, *, repeats: int = 50) -> dict[str, Figure]:
    """How near the samples lie to reals and how much of them they reach, in the features."""
    return _fidelity(case.on_sides(case.embedded), case.features.name, case.seed, repeats)


def fidelity_second(case: Case, *, repeats: int = 50) -> dict[str, Figure]:
    """The same in the second features; empty where there are none."""
    if case.second is None or case.embedded_twice is None:
        return {}
    return _fidelity(case.on_sides(case.embedded_twice), case.second.name, case.seed, repeats)


def baseline(case: Case) -> dict[str, Figure]:
    """The same for as many draws from one multivariate normal, fitted to the training items."""
    samples, reals, more_reals = case.on_sides(case.embedded)
    dumb = case.features.embed(fit_gaussian(case.real.train).sample(len(samples), seed=case.seed))
    return _fidelity((dumb, reals, more_reals), case.features.name, case.seed, repeats=20)


def _fidelity(sides: tuple[np.ndarray, np.ndarray, np.ndarray], by: str, seed: int, repeats: int) -> dict[str, Figure]:
    estimates = measures_of_fidelity(*sides, seed=seed, repeats=repeats)
    estimates["sliced_wasserstein"] = sliced_estimate(*sides, seed=seed, repeats=repeats)
    return {name: estimate.figure(by) for name, estimate in estimates.items()}


def extractors(case: Case) -> list[dict[str, object]]:
    """What judged."""
    used = [one for one in (case.features, case.second) if one is not None]
    return [
        {"name": one.name, "hash": one.hash, "dimension": one.dimension, "kind": type(one).__name__.lower()}
        for one in used
    ]


def critics(case: Case) -> dict[str, object]:
    """What fresh critics can tell: on features and, of images, on pixels; as many of each side."""
    n = min(len(rows) for rows in case.sides)
    items = case.samples, case.real.test, case.real.validation
    samples, reals, more_reals = (part[rows[:n]] for part, rows in zip(items, case.sides, strict=True))
    first, name = case.on_sides(case.embedded), case.features.name
    if case.second is None or case.embedded_twice is None:
        vectors = first
    else:
        name = f"{name}+{case.second.name}"
        pairs = zip(first, case.on_sides(case.embedded_twice), strict=True)
        one, two, three = (np.hstack(pair) for pair in pairs)
        vectors = one, two, three
    of_samples, of_reals, of_more = (part[:n] for part in vectors)
    return two_sample_section((samples, reals, more_reals), (of_samples, of_reals, of_more), name, seed=case.seed)


def health_of_items(case: Case) -> dict[str, Figure]:
    """Whether samples are alike, in pixels."""
    samples, reals, more_reals = case.on_sides(case.pixels)
    equal = min(len(samples), len(reals))
    return {
        "diversity": health.diversity(samples, reals, more_reals, seed=case.seed).figure(),
        "repeated": health.repeated(samples[:equal], reals[:equal], more_reals[:equal]).figure(),
    }


def health_of_raw(samples: np.ndarray, raw: np.ndarray | None) -> dict[str, Figure]:
    """Samples before they were cut to 8 bits: what isn't finite, and what was out of range."""
    if raw is None:
        raw = samples if np.issubdtype(samples.dtype, np.floating) else None
    if raw is None or not len(raw):
        return {}
    found = {"not_finite": health.not_finite(raw).figure()}
    if samples.ndim == 4:
        found["out_of_range"] = health.out_of_range(raw).figure()
    return found


def copies(case: Case) -> dict[str, object]:
    """Samples that are too near to training items, or to what these are mirrored or moved."""
    rows, real = case.few_rows, case.real
    items = case.samples[rows[0]], real.train, real.validation[rows[1]], real.test[rows[2]]
    in_pixels, in_features = nearness_in_views(items, case.embedded.train, case.features.embed)
    pairs = memorisation.closest_pairs(in_pixels, in_features)
    return {
        "pixels": memorisation.near_share(in_pixels).figure(),
        "features": memorisation.near_share(in_features).figure(case.features.name),
        "both": memorisation.near_share(in_pixels, in_features).figure(case.features.name),
        "pairs": [{"sample": int(rows[0][pair["sample"]]), "train": pair["train"]} for pair in pairs],
    }


def bins(case: Case) -> dict[str, object]:
    """Counts of all samples, beside those of all held-out reals, in bins of the training features."""
    rows, real, by = case.embedded, case.real, case.features.name
    reals = np.concatenate([rows.validation, rows.test])
    n, r = len(rows.samples), len(reals)
    found = find_bins(rows.train, real.train_labels, real.classes, fewest=min(n, r), seed=case.seed)
    counts, real_counts = found.count(rows.samples), found.count(reals)
    words = balance(counts, real_counts, n, r, scarce=0.5)
    columns = zip(found.names, counts.tolist(), real_counts.tolist(), words, found.example.tolist(), strict=True)
    table: list[dict[str, object]] = [
        {"name": name, "share": beside(count, n, fair, r).figure(by), "balance": word, "example": example}
        for name, count, fair, word, example in columns
    ]
    return {"total": len(table), "by": by, "table": table, **named(table)}


def named(table: Sequence[Mapping[str, object]]) -> dict[str, list[object]]:
    """The names of the rows that are out of balance, by how."""
    return {word: [row["name"] for row in table if row["balance"] == word] for word in UNBALANCED}


def beyond_the_data(case: Case) -> dict[str, object]:
    """Samples outside the data's support, and samples that look like blends of two training items."""
    join = support.SideBySide(case.pixels.train, case.embedded.train)
    machine = support.learn_blends(
        case.real.train, lambda items: join(as_pixels(items), case.features.embed(items)), seed=case.seed
    )
    pixels, embedded = case.few(case.pixels), case.few(case.embedded)
    scores, *of_reals = (
        machine.decision_function(join(getattr(pixels, part), getattr(embedded, part)))
        for part in ("samples", "validation", "test")
    )
    some = np.random.default_rng(case.seed).permutation(len(case.real.train))[:MOST_NEIGHBOURS]
    ghosts = support.find_ghosts(scores, pixels.samples, pixels.train[some])
    return {
        "outside": support.outside(embedded).figure(case.features.name),
        "blends": support.beyond(scores, *of_reals).figure(case.features.name),
        "ghosts": [
            {"sample": int(case.few_rows[0][ghost.sample]), "a": int(some[ghost.a]), "b": int(some[ghost.b])}
            for ghost in ghosts
        ],
    }


def modes(case: Case, mixture: Mixture) -> dict[str, object]:
    """How many of the modes of a known mixture the samples hold, how evenly and how sharply."""
    reals = np.concatenate([case.real.test, case.real.validation])
    n, centres = min(len(case.samples), len(reals)), mixture.centres
    random = np.random.default_rng(case.seed)
    parts = case.samples[random.permutation(len(case.samples))[:n]], reals[random.permutation(len(reals))[:n]], reals
    found, as_many, of_reals = (mixture_modes(part.astype(np.float64), centres, mixture.sigma) for part in parts)
    names = mode_names(centres)
    words = balance(found.counts, of_reals.counts, n, len(reals))
    table = [
        {"name": name, "share": _mode_share(found, of_reals, mode), "balance": word}
        for mode, (name, word) in enumerate(zip(names, words, strict=True))
    ]
    return {
        "total": len(centres),
        **{name: one.figure() for name, one in mode_estimates(found, as_many, seed=case.seed).items()},
        **named(table),
        "table": table,
    }


def _mode_share(found: ModeCount, of_reals: ModeCount, mode: int) -> Figure:
    return beside(int(found.counts[mode]), found.n, int(of_reals.counts[mode]), of_reals.n).figure()
