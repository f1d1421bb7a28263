"""The popular DCGAN recipe in plain PyTorch, without elegan: what time_to_quality.py measures itself against.

    python benchmarks/plain_dcgan.py IMAGES.npy OUT [--lr 2e-4] [--minutes 10 | --images 150000] [--seed 0]

The networks, loss and settings that most tutorials share: a generator that enlarges 8x8 maps of 128 channels twice by
nearest neighbours with convolutions and batch normalisation between, a discriminator of four strided convolutions (16
to 128 channels) with batch normalisation and dropout, binary cross-entropy, Adam with a learning rate of 0.0002 and
β₁ = 0.5, batches of 64 (Radford et al., 2015, arXiv:1511.06434, for the settings).  Float32, default memory layout,
real and generated images judged apart, nothing averaged.

IMAGES.npy holds uint8 [N, H, W, C].  OUT receives a snapshot of the generator every ``--every`` images, named by the
images shown, and times.json: seconds since the process started, without the time that snapshots took.
"""

import time

STARTED = time.perf_counter()

import argparse  # noqa: E402
import json  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402

LATENT, BATCH = 100, 64


def generator(side: int, channels: int) -> nn.Sequential:
    """z [n, 100] → images [n, C, side, side] in (-1, 1)."""
    return nn.Sequential(
        nn.Linear(LATENT, 128 * (side // 4) ** 2),
        nn.Unflatten(1, (128, side // 4, side // 4)),
        nn.BatchNorm2d(128),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(128, 128, 3, padding=1),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(128, 64, 3, padding=1),
        nn.BatchNorm2d(64),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(64, channels, 3, padding=1),
        nn.Tanh(),
    )


def discriminator(side: int, channels: int) -> nn.Sequential:
    """images [n, C, side, side] → logits [n, 1]."""
    layers: list[nn.Module] = []
    for before, after in ((channels, 16), (16, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(before, after, 3, 2, 1), nn.LeakyReLU(0.2, inplace=True), nn.Dropout2d(0.25)]
        layers += [nn.BatchNorm2d(after)] if before > channels else []
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * (side // 16) ** 2, 1))


def small_normal(module: nn.Module) -> None:
    """Weights from N(0, 0.02²), the scales of batch normalisation from N(1, 0.02²)."""
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)


class PlainDCGAN:
    """The two players and their optimisers."""

    def __init__(self, side: int, channels: int, lr: float) -> None:
        self.generator = generator(side, channels).apply(small_normal)
        self.discriminator = discriminator(side, channels).apply(small_normal)
        self.of_generator, self.of_discriminator = (
            torch.optim.Adam(player.parameters(), lr=lr, betas=(0.5, 0.999))
            for player in (self.generator, self.discriminator)
        )
        self.loss = nn.BCEWithLogitsLoss()

    def step(self, real: Tensor) -> None:
        """The generator's update, then the discriminator's."""
        ones, zeros = torch.ones(len(real), 1), torch.zeros(len(real), 1)
        self.of_generator.zero_grad()
        fake = self.generator(torch.randn(len(real), LATENT))
        self.loss(self.discriminator(fake), ones).backward()
        self.of_generator.step()
        self.of_discriminator.zero_grad()
        of_real = self.loss(self.discriminator(real), ones)
        of_fake = self.loss(self.discriminator(fake.detach()), zeros)
        ((of_real + of_fake) / 2).backward()
        self.of_discriminator.step()


@torch.no_grad()
def draw(state: dict[str, Tensor], side: int, channels: int, n: int, seed: int) -> np.ndarray:
    """n images uint8 [n, side, side, C] of a snapshot, in batches of its training size and mode."""
    player = generator(side, channels)
    player.load_state_dict(state)
    random = torch.Generator().manual_seed(seed)
    parts = [player(torch.randn(BATCH, LATENT, generator=random)) for _ in range(-(-n // BATCH))]
    levels = torch.cat(parts)[:n].add(1).mul(127.5).clamp(0, 255).round().to(torch.uint8)
    return levels.permute(0, 2, 3, 1).contiguous().numpy()


def batches(items: int) -> Iterator[Tensor]:
    """Shuffled batches of row numbers, epoch after epoch; what is left over of an epoch is dropped."""
    while True:
        yield from torch.randperm(items).split(BATCH)[: items // BATCH]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("out", type=Path)
    parser.add_argument("--lr", type=float, default=2e-4)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--images", type=int)
    parser.add_argument("--every", type=int, default=8_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(asked.seed)
    items = torch.from_numpy(np.load(asked.data)).permute(0, 3, 1, 2).contiguous()
    game = PlainDCGAN(items.shape[2], items.shape[1], asked.lr)
    times: dict[int, float] = {}
    paused = 0.0
    for shown, rows in enumerate(batches(len(items))):
        moment = time.perf_counter()
        seconds, images = moment - STARTED - paused, shown * BATCH
        over = images >= asked.images if asked.images else seconds >= 60 * asked.minutes
        if shown and (over or images // asked.every > (images - BATCH) // asked.every):
            times[images] = seconds
            torch.save(game.generator.state_dict(), asked.out / f"{images:09d}.pt")
            (asked.out / "times.json").write_text(json.dumps(times))
            paused += time.perf_counter() - moment
        if over:
            break
        game.step(items[rows].float().div(127.5).sub(1))


if __name__ == "__main__":
    main()
