"""Golden curves: what a tiny training of each model logs, tick by tick, so that no change alters results unseen.

    python tests/golden/renew.py              every model
    python tests/golden/renew.py r3gan gan    these

A file that is renewed means that the same command gives other results than before: say why in CHANGELOG.md, with the
figures.  A curve keeps its whole configuration, so that new defaults alone don't touch it.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import torch

from elegan.data import open_data
from elegan.models import MODELS, find
from elegan.training.engine import Engine, choose
from elegan.training.loop import Training
from elegan.verbs.plan import make_config

FOLDER = Path(__file__).parent
BATCH, TICKS, STEPS = 32, 12, 2
COMMON = {
    "batch": BATCH, "lr": 1e-3, "lr_ratio": 1.0, "lr_end": 0.1, "hold": 0.3, "fall_until": 0.9, "warm_up": 4 * BATCH,
    "beta1": 0.0, "beta2": 0.99, "ema": 256, "ema_ramp": 0.2, "augment": ("affine",), "augment_share": 0.5,
}  # fmt: skip
SMALL = {
    "gan": {"width": 32, "depth": 2, "latent": 16, "gamma": 1.0},
    "dcgan": {"width": 8, "latent": 16, "gamma": 1.0},
    "cgan": {"width": 16, "narrow": 16, "features": 16, "latent": 16, "gamma": 1.0},
    "r3gan": {"width": 16, "narrow": 16, "features": 16, "latent": 16, "gamma": 1.0},
    "progan": {"width": 16, "narrow": 16, "features": 16, "latent": 16, "gamma": 1.0},
    "sgan": {"width": 16, "narrow": 16, "features": 16, "latent": 16, "ramp": 0.1},
    "stylegan": {
        "width": 16,
        "narrow": 16,
        "features": 16,
        "style": 16,
        "latent": 16,
        "gamma": 1.0,
        "mixing": 0.9,
        "path_weight": 2.0,
    },
    "pix2pix": {"width": 8, "discriminator_width": 8},
    "cyclegan": {"width": 8, "blocks": 1, "discriminator_width": 8},
    "cut": {"width": 8, "blocks": 1, "heads": 8, "discriminator_width": 8},
}
"""Settings of each model; one that isn't named here has its defaults, at the size of 8x8."""


def path_of(model: str) -> Path:
    return FOLDER / f"{model}.json"


def curve(model: str, settings: dict, engine: Engine | None = None) -> tuple[dict, list[dict[str, float]]]:
    """The whole configuration, and the mean terms of every tick, in float32 on one thread of the processor."""
    kind = find(model)
    data = open_data("digits", size=8, pair="edges" if kind.translations else None)
    torch.manual_seed(0)
    game = kind(make_config(model, kind, None, settings), data.spec)
    engine = engine or choose("float32", device="cpu", threads=1, gains=game.low_precision)
    stream, batch = data.stream("train", seed=0), game.config.batch
    with engine.on_its_threads():
        training = Training(game, stream, total=TICKS * STEPS * batch, engine=engine)
        return asdict(game.config), [tick.terms for tick in training.play(every=STEPS * batch)]


def renew(model: str) -> None:
    config, ticks = curve(model, {**COMMON, **SMALL.get(model, {})})
    rows = ",\n".join(f"  {json.dumps(tick)}" for tick in ticks)
    path_of(model).write_text(f'{{\n "config": {json.dumps(config)},\n "ticks": [\n{rows}\n ]\n}}\n', encoding="utf-8")
    print(f"{path_of(model)} is new; CHANGELOG.md must say why.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=list(MODELS), help="all when none is named")
    for name in parser.parse_args().models:
        renew(name)
