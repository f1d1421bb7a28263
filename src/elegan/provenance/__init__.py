"""Every file that elegan writes says that it was generated, by what, from which weights and which seed."""

from elegan.provenance.label import COMPOSITE, TRAINED, TRAINED_DATA, Label
from elegan.provenance.labelled import LabelledImage
from elegan.provenance.read import read_label
from elegan.provenance.write import write_arrays, write_gif, write_image

__all__ = [
    "COMPOSITE", "TRAINED", "TRAINED_DATA", "Label", "LabelledImage", "read_label", "write_arrays", "write_gif",
    "write_image",
]  # fmt: skip
