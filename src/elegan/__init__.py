"""elegan: every kind of GAN.  Train it, know whether it worked, use it, and label honestly what it makes.

>>> import elegan
>>> run = elegan.train("r3gan", data="digits", minutes=3, out="runs/digits")
>>> run.evaluate().verdict
>>> elegan.load("runs/digits").sample(16, label=8, seed=0)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from elegan.data import open_data
    from elegan.errors import UserError
    from elegan.training.loop import Training
    from elegan.verbs.apply import apply
    from elegan.verbs.classify import classify
    from elegan.verbs.edit import edit
    from elegan.verbs.evaluate import evaluate
    from elegan.verbs.export import export
    from elegan.verbs.forget import forget
    from elegan.verbs.run import Run
    from elegan.verbs.run import load_run as load
    from elegan.verbs.sample import sample
    from elegan.verbs.train import Interrupted, train
    from elegan.verbs.verify import verify

__version__ = "0.1.0"

_DOORS = {
    "Interrupted": ("elegan.verbs.train", "Interrupted"),
    "Run": ("elegan.verbs.run", "Run"),
    "Training": ("elegan.training.loop", "Training"),
    "UserError": ("elegan.errors", "UserError"),
    "apply": ("elegan.verbs.apply", "apply"),
    "edit": ("elegan.verbs.edit", "edit"),
    "classify": ("elegan.verbs.classify", "classify"),
    "evaluate": ("elegan.verbs.evaluate", "evaluate"),
    "export": ("elegan.verbs.export", "export"),
    "forget": ("elegan.verbs.forget", "forget"),
    "load": ("elegan.verbs.run", "load_run"),
    "open_data": ("elegan.data", "open_data"),
    "sample": ("elegan.verbs.sample", "sample"),
    "train": ("elegan.verbs.train", "train"),
    "verify": ("elegan.verbs.verify", "verify"),
}

__all__ = [
    "Interrupted",
    "Run",
    "Training",
    "UserError",
    "__version__",
    "apply",
    "classify",
    "edit",
    "evaluate",
    "export",
    "forget",
    "load",
    "open_data",
    "sample",
    "train",
    "verify",
]


def __getattr__(name: str) -> Any:
    """Open a door on first use: importing elegan alone must not import torch."""
    if name not in _DOORS:
        raise AttributeError(f"module 'elegan' has no attribute {name!r}")
    module, attribute = _DOORS[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted([*globals(), *_DOORS])
