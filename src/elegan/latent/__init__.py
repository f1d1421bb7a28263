"""What can be done with the styles of a generator: pure functions on tensors [n, layers, d].

A style steers the generator (:meth:`elegan.game.Game.styles`): StyleGAN's w, one a layer; elsewhere z itself, as one
layer.
"""

from elegan.latent.change import change
from elegan.latent.channels import affinity, has_scales, influence, raising, strongest
from elegan.latent.directions import (
    Boundary,
    Directions,
    boundary,
    closed_form_directions,
    conditional,
    principal_directions,
    steer,
)
from elegan.latent.projection import Projection, laplacian_distance, project
from elegan.latent.recogniser import Recogniser, train_recogniser
from elegan.latent.styles import combine, has_latents, interpolate, is_normal, mix, truncate, walk

__all__ = [
    "Boundary",
    "Directions",
    "Projection",
    "Recogniser",
    "affinity",
    "boundary",
    "change",
    "closed_form_directions",
    "combine",
    "conditional",
    "has_latents",
    "has_scales",
    "influence",
    "interpolate",
    "is_normal",
    "laplacian_distance",
    "mix",
    "principal_directions",
    "project",
    "raising",
    "steer",
    "strongest",
    "train_recogniser",
    "truncate",
    "walk",
]
