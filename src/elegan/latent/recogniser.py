"""A small network that tells the parts of an image: it labels what a generator draws, so that directions have names."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate

from elegan.networks.layers import LEAK, LEAKY_GAIN, scaled_normal_
from elegan.progress import reported

SEED = 20_200_526
"""Its own; nothing to do with the seed of any run."""
LARGEST, COARSEST = 64, 4
"""Images are averaged down until their longer side fits; convolutions halve them to about 4x4."""
BATCH, LR, EPOCHS, NOISE = 64, 2e-3, 12, 0.05
CHUNK = 256


class Recogniser(nn.Module):
    """Images [n, C, H, W] in [-1, 1] → logits, a list of [n, values] for each part.

    ``accuracy`` holds, for each part, the share of held-out images whose value it tells; NaN before it is measured.
    """

    def __init__(self, shape: tuple[int, int, int], values: Sequence[int], width: int = 32) -> None:
        super().__init__()
        channels, height, width_of_image = shape
        self.shrink = max(1, -(-max(height, width_of_image) // LARGEST))
        side = min(height, width_of_image) // self.shrink
        self.patch = 2 if side >= 4 * COARSEST else 1
        halvings = max(1, (side // (self.patch * COARSEST)).bit_length() - 1)
        widths = [width * min(1 + level, 4) for level in range(halvings + 1)]
        layers = [*_block(channels * self.patch**2, widths[0])]
        for before, after in pairwise(widths):
            layers += [*_block(before, after), nn.MaxPool2d(2, ceil_mode=True)]
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(COARSEST), nn.Flatten())
        hidden = scaled_normal_(nn.Linear(widths[-1] * COARSEST**2, 8 * width), LEAKY_GAIN)
        self.hidden = nn.Sequential(hidden, nn.LeakyReLU(LEAK), nn.Dropout(0.1))
        self.heads = nn.ModuleList(scaled_normal_(nn.Linear(8 * width, count)) for count in values)
        self.accuracy = [float("nan")] * len(values)

    def forward(self, images: Tensor) -> list[Tensor]:
        if self.shrink > 1:
            images = interpolate(images, scale_factor=1 / self.shrink, mode="area")
        features = self.hidden(self.body(_patched(images, self.patch)))
        return [head(features) for head in self.heads]

    @torch.no_grad()
    def predict(self, images: Tensor) -> Tensor:
        """The likeliest value of every part, int64 [n, parts]."""
        self.eval()
        parts = [torch.stack([logits.argmax(1) for logits in self(chunk)], 1) for chunk in images.split(CHUNK)]
        return torch.cat(parts)


def train_recogniser(
    images: Tensor,
    parts: Tensor,
    values: Sequence[int],
    held: tuple[Tensor, Tensor],
    *,
    seed: int = SEED,
    width: int = 32,
    epochs: int = EPOCHS,
    doing: str = "Learning what images show: step",
) -> Recogniser:
    """Teach a recogniser the parts int64 [n, parts] of images [n, C, H, W] in [-1, 1].

    A little noise is added to these, for generated images are never quite clean.
    ``values`` is how many each part has; ``held`` are other images and parts, which its accuracies are measured on.
    A terminal says how far it is, after the words ``doing``.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        height, width_of_image = images.shape[2:]
        recogniser = Recogniser((images.shape[1], height, width_of_image), values, width).train()
        steps = epochs * max(1, len(images) // BATCH)
        adam = torch.optim.AdamW(recogniser.parameters(), LR, weight_decay=1e-2)
        plan = torch.optim.lr_scheduler.OneCycleLR(adam, LR, total_steps=steps + 1)
        for _ in reported(range(steps), steps, doing):
            rows = torch.randint(len(images), (BATCH,), generator=generator)
            noise = NOISE * torch.randn(BATCH, *images.shape[1:], generator=generator)
            logits = recogniser(images[rows] + noise)
            loss = torch.stack([cross_entropy(a, b) for a, b in zip(logits, parts[rows].T, strict=True)]).sum()
            adam.zero_grad()
            loss.backward()
            adam.step()
            plan.step()
    right = recogniser.predict(held[0]) == held[1]
    recogniser.accuracy = [float(share) for share in right.double().mean(0)]
    return recogniser.requires_grad_(False)


def _block(before: int, after: int) -> list[nn.Module]:
    convolution = scaled_normal_(nn.Conv2d(before, after, 3, padding=1, bias=False), LEAKY_GAIN)
    return [convolution, nn.BatchNorm2d(after), nn.LeakyReLU(LEAK)]


def _patched(images: Tensor, patch: int) -> Tensor:
    """Squares of pixels as channels; rows and columns that fill no square are left out."""
    height, width = (side - side % patch for side in images.shape[2:])
    return nn.functional.pixel_unshuffle(images[..., :height, :width], patch)
