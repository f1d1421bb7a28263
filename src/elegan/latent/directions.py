"""Directions along which one thing changes: found without labels, or as boundaries of what labels say."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

HELD = 0.2
"""The share of the samples that a boundary isn't fitted to, by which its accuracy is told."""


@dataclass(frozen=True)
class Directions:
    """Vectors [k, layers, d], each so long that it moves a style by one standard deviation of all styles along it."""

    vectors: Tensor
    names: tuple[str, ...]


@dataclass(frozen=True)
class Boundary:
    """Where a yes of a label turns into a no, as the unit normal [layers, d] of a plane that points to yes."""

    normal: Tensor
    accuracy: float
    """The mean of the shares of held-out yes and no that lie on their side; 0.5 is chance."""


def principal_directions(styles: Tensor, count: int) -> Directions:
    """The axes along which styles [n, layers, d] vary most (GANSpace: Härkönen et al., 2020, arXiv:2004.02546)."""
    rows, back = _rows(styles)
    centred = rows - rows.mean(0)
    _, deviations, axes = torch.linalg.svd(centred, full_matrices=False)
    lengths = deviations[:count, None] / max(1, len(rows) - 1) ** 0.5
    return _numbered(back(axes[:count] * lengths), "principal")


def closed_form_directions(weights: Sequence[Tensor], styles: Tensor, count: int, layers: Sequence[int]) -> Directions:
    """SeFa (Shen & Zhou, 2021, arXiv:2007.06600, eq. 5): what the style weights amplify the most.

    Eigenvectors of WᵀW with the largest eigenvalues, for W the weights [outputs, d] of the chosen layers below each
    other, each row of length 1, as in the authors' code.  ``styles`` [n, layers, d] give the lengths; other layers'
    directions are 0.
    """
    chosen = torch.cat([weights[min(layer, len(weights) - 1)].detach() for layer in layers])
    chosen = chosen / chosen.norm(dim=1, keepdim=True).clamp(min=1e-12)
    axes = torch.linalg.eigh(chosen.T @ chosen)[1].flip(1).T[:count]
    vectors = torch.zeros(len(axes), *styles.shape[1:])
    vectors[:, list(layers)] = axes[:, None].to(vectors)
    return _numbered(scaled(vectors, styles), "closed form")


def boundary(styles: Tensor, yes: Tensor) -> Boundary:
    """The plane that parts the styles [n, layers, d] of what has a property from the rest; ``yes`` bool [n].

    A linear support vector machine (InterFaceGAN: Shen et al., 2020, arXiv:2005.09635), its two sides weighted alike.
    Raises ValueError where fewer than 10 samples are on one side.
    """
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.svm import LinearSVC

    labels = yes.cpu().numpy().astype(np.int64)
    if min(labels.sum(), len(labels) - labels.sum()) < 10:
        raise ValueError(f"{labels.sum()} of {len(labels)} samples say yes; a boundary needs 10 on each side.")
    rows, back = _rows(styles)
    points = ((rows - rows.mean(0)) / rows.std(0).clamp(min=1e-12)).cpu().numpy()
    held = np.zeros(len(points), bool)
    for side in (0, 1):
        held[np.flatnonzero(labels == side)[:: round(1 / HELD)]] = True
    machine = LinearSVC(C=0.01, class_weight="balanced", dual=False).fit(points[~held], labels[~held])
    accuracy = float(balanced_accuracy_score(labels[held], machine.predict(points[held])))
    normal = torch.from_numpy(machine.coef_[0]).to(rows) / rows.std(0).clamp(min=1e-12)
    normal = back(normal[None])[0]
    return Boundary(normal / normal.norm(), accuracy)


def conditional(direction: Tensor, others: Tensor) -> Tensor:
    """The direction [layers, d] without its projection on the others [k, layers, d]: along it they stay as they are.

    InterFaceGAN's conditional manipulation (arXiv:2005.09635, section 3.2): n₁ − (n₁ᵀn₂) n₂, for any number of them.
    """
    if not len(others):
        return direction
    basis = torch.linalg.svd(others.flatten(1).double(), full_matrices=False)
    kept = basis.Vh[1e-6 * basis.S[0] < basis.S]
    flat = direction.flatten().double()
    return (flat - kept.T @ (kept @ flat)).view_as(direction).to(direction)


def scaled(vectors: Tensor, styles: Tensor) -> Tensor:
    """Directions [k, layers, d], each as long as the standard deviation of styles [n, layers, d] along it."""
    units = vectors.flatten(1) / vectors.flatten(1).norm(dim=1, keepdim=True).clamp(min=1e-12)
    spread = ((styles - styles.mean(0)).flatten(1) @ units.T).std(0)
    return (units * spread[:, None]).view_as(vectors)


def steer(styles: Tensor, direction: Tensor, amount: float, layers: Sequence[int] | None = None) -> Tensor:
    """Styles [n, layers, d] moved by ``amount`` times the direction [layers, d], in the given layers alone."""
    change = direction * amount
    if layers is not None:
        mask = torch.zeros(len(direction), 1, device=direction.device)
        mask[list(layers)] = 1
        change = change * mask
    return styles + change.to(styles)


def _rows(styles: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
    """Styles as rows [n, size], and the way back for vectors [k, size].

    Where all layers have the same style, as drawn from a mapping network, one of them says it all.
    """
    layers, size = styles.shape[1:]
    if bool((styles == styles[:, :1]).all()):
        return styles[:, 0], lambda rows: rows[:, None].repeat(1, layers, 1)
    return styles.flatten(1), lambda rows: rows.unflatten(1, (layers, size))


def _numbered(vectors: Tensor, kind: str) -> Directions:
    return Directions(vectors, tuple(f"{kind} {number + 1}" for number in range(len(vectors))))
