"""The street's table of contents: name → where the game lives.  A game is imported when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from elegan.errors import UserError, nearest

if TYPE_CHECKING:
    from elegan.game import Game


@dataclass(frozen=True)
class Entry:
    """A model: where its class is, the paper, and in a few words what it is for."""

    where: str
    title: str
    paper: str
    year: int
    arxiv: str
    state: str


MODELS: dict[str, Entry] = {
    "gan": Entry(
        "gan:GAN", "the first GAN: multilayer perceptrons", "Goodfellow et al., Generative Adversarial Networks",
        2014, "1406.2661", "works; for small images and vectors",
    ),
    "dcgan": Entry(
        "dcgan:DCGAN", "convolutions and batch normalisation",
        "Radford et al., Unsupervised Representation Learning with Deep Convolutional GANs",
        2015, "1511.06434", "works",
    ),
    "cgan": Entry(
        "cgan:CGAN", "a label on demand", "Mirza & Osindero, Conditional Generative Adversarial Nets",
        2014, "1411.1784", "works; the demo's model; needs labels",
    ),
    "sgan": Entry(
        "sgan:SGAN", "a classifier from few labels, and a generator beside it",
        "Odena, Semi-Supervised Learning with Generative Adversarial Networks",
        2016, "1606.01583", "works; for small images; needs some labels",
    ),
    "stylegan": Entry(
        "stylegan:StyleGAN", "a style for every layer: parts that can be mixed and moved",
        "Karras et al., A Style-Based Generator Architecture for Generative Adversarial Networks",
        2019, "1812.04948", "works; for images, with labels or without",
    ),
    "progan": Entry(
        "progan:ProGAN", "grows from 4x4 pixels, one doubling after the other",
        "Karras et al., Progressive Growing of GANs for Improved Quality, Stability, and Variation",
        2018, "1710.10196", "works; for images, with labels or without",
    ),
    "r3gan": Entry(
        "r3gan:R3GAN", "relativistic pairs, both penalties, no tricks",
        "Huang et al., The GAN is dead; long live the GAN! A Modern GAN Baseline",
        2024, "2501.05441", "works; the default choice, with labels or without",
    ),
    "pix2pix": Entry(
        "pix2pix:Pix2Pix", "from pairs: a sketch becomes a picture",
        "Isola et al., Image-to-Image Translation with Conditional Adversarial Networks",
        2017, "1611.07004", "works; needs pairs of images (--pair edges makes some)",
    ),
    "cyclegan": Entry(
        "cyclegan:CycleGAN", "between two sets without pairs, there and back",
        "Zhu et al., Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks",
        2017, "1703.10593", "works; needs two sets of images (trainA, trainB)",
    ),
    "cut": Entry(
        "cut:CUT", "between two sets without pairs, one way only",
        "Park et al., Contrastive Learning for Unpaired Image-to-Image Translation",
        2020, "2007.15651", "works; needs two sets of images (trainA, trainB)",
    ),
}  # fmt: skip


def find(name: str) -> type[Game]:
    """The game of that name.  Raises UserError, with the nearest right name, when there is none."""
    if name not in MODELS:
        raise UserError(f'There is no model "{name}"; the models are {", ".join(MODELS)}.{nearest(name, MODELS)}')
    module, _, attribute = MODELS[name].where.partition(":")
    game: type[Game] = getattr(import_module(f"elegan.models.{module}"), attribute)
    return game
