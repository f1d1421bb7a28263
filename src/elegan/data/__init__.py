"""Data sets: opened by name or path, checked, made equal, split, and streamed to a game."""

from elegan.data.dataset import Data, Modes, Split
from elegan.data.found import BadFile
from elegan.data.labelled import keep_labels, without_labels
from elegan.data.opening import open_data, read_data
from elegan.data.speed import decoding_speed
from elegan.data.stream import ItemStream

__all__ = [
    "BadFile", "Data", "ItemStream", "Modes", "Split", "decoding_speed", "keep_labels", "open_data", "read_data",
    "without_labels",
]  # fmt: skip
