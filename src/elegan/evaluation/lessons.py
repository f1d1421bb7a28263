"""How the features are learnt: by labels, or by contrast between two views of each image."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from elegan.progress import reported

ToTensor = Callable[[np.ndarray], Tensor]
BATCH = 64
MOST_STEPS, FEWEST_STEPS = 400, 120
WORK = 8e11
"""Multiplications that a lesson may cost; large images get fewer steps."""
TEMPERATURE = 0.1
"""The best for normalised vectors in Chen et al., 2020, table 5."""


def supervised_lesson(
    network: nn.Module, images: np.ndarray, labels: np.ndarray, to_tensor: ToTensor, doing: str | None = None
) -> None:
    """Learn the labels by cross-entropy, with shifts of up to an eighth of the image; a terminal says ``doing``."""
    targets = torch.from_numpy(labels.astype(np.int64))

    def loss(rows: Tensor) -> Tensor:
        views = shifted(to_tensor(images[rows.numpy()]))
        return functional.cross_entropy(network(views), targets[rows], label_smoothing=0.05)

    _learn(network, loss, len(images), _steps(network, to_tensor(images[:1]), views=1), doing)


def contrastive_lesson(network: nn.Module, images: np.ndarray, to_tensor: ToTensor, doing: str | None = None) -> None:
    """Learn to recognise another view of the same image among a batch.

    SimCLR: Chen et al., 2020 (arXiv:2002.05709), with crops, brightness, contrast and cutout as views.  The
    features are h of the paper, the head is its projection z.
    """

    def loss(rows: Tensor) -> Tensor:
        batch = to_tensor(images[rows.numpy()])
        return contrastive_loss(network(view(batch)), network(view(batch)))

    _learn(network, loss, len(images), _steps(network, to_tensor(images[:1]), views=2), doing)


def contrastive_loss(a: Float[Tensor, "n d"], b: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
    """NT-Xent of two views: Chen et al., 2020, eq. 1, mean over both orders; equal rows are a pair."""
    z = functional.normalize(torch.cat([a, b]), dim=1)
    similarity = z @ z.T / TEMPERATURE
    similarity = similarity.masked_fill(torch.eye(len(z), dtype=torch.bool), float("-inf"))
    partner = torch.arange(len(z)).roll(len(a))
    return functional.cross_entropy(similarity, partner)


def shifted(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Move each image by up to an eighth of its size, its edge repeated."""
    return _crop(images, torch.ones(len(images)), torch.empty(len(images), 2).uniform_(-0.25, 0.25))


def view(images: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """A random view: a crop of 70 to 100 % of each side, brightness and contrast, and a square cut out."""
    n = len(images)
    size = torch.empty(n).uniform_(0.7, 1.0)
    images = _crop(images, size, torch.empty(n, 2).uniform_(-1, 1) * (1.1 - size)[:, None])
    contrast, brightness = torch.empty(2, n, 1, 1, 1).uniform_(-0.3, 0.3)
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return _cut_out((images - mean) * (1 + contrast) + mean + brightness)


def _crop(images: Tensor, size: Tensor, offset: Tensor) -> Tensor:
    """Sample a window of ``size`` times each side, off the middle by ``offset`` half-sides (x, y)."""
    window = torch.zeros(len(images), 2, 3)
    window[:, 0, 0] = window[:, 1, 1] = size
    window[:, :, 2] = offset
    grid = functional.affine_grid(window, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _cut_out(images: Tensor) -> Tensor:
    """Replace a square of a third of the shorter side, anywhere, by the image's mean."""
    n, _, height, width = images.shape
    side = max(1, min(height, width) // 3)
    top = torch.randint(height - side + 1, (n, 1, 1, 1))
    left = torch.randint(width - side + 1, (n, 1, 1, 1))
    y, x = torch.arange(height).view(1, 1, -1, 1), torch.arange(width).view(1, 1, 1, -1)
    square = (y >= top) & (y < top + side) & (x >= left) & (x < left + side)
    return torch.where(square, images.mean(dim=(1, 2, 3), keepdim=True), images)


def _learn(network: nn.Module, loss: Callable[[Tensor], Tensor], n: int, steps: int, doing: str | None) -> None:
    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    batches = _batches(n, steps)
    for rows in reported(batches, steps, doing) if doing else batches:
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss(rows))
        optimizer.step()
        schedule.step()


def _batches(n: int, steps: int) -> Iterator[Tensor]:
    """Shuffled rows, epoch after epoch; a batch is never shorter than the others."""
    size, order = min(BATCH, n), torch.zeros(0, dtype=torch.int64)
    for _ in range(steps):
        if len(order) < size:
            order = torch.randperm(n)
        yield order[:size]
        order = order[size:]


def _steps(network: nn.Module, example: Tensor, views: int) -> int:
    """As many steps as the work allows; counted in multiplications, since a clock would not repeat."""
    work = 0

    def count(layer: nn.Module, _: object, output: Tensor) -> None:
        nonlocal work
        work += sum(p[0].numel() for p in layer.parameters() if p.dim() == 4) * output[0, 0].numel() * output.shape[1]

    hooks = [layer.register_forward_hook(count) for layer in network.modules() if isinstance(layer, nn.Conv2d)]
    with torch.no_grad():
        network.eval()(example)
    for hook in hooks:
        hook.remove()
    return int(np.clip(WORK / (3 * views * BATCH * max(work, 1)), FEWEST_STEPS, MOST_STEPS))
