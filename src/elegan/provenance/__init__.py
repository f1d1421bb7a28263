"""Every file that elegan writes says that it was generated, by what, from which weights and which seed."""

from elegan.provenance.label import COMPOSITE, TRAINED, TRAINED_DATA, Label, checked_profile
from elegan.provenance.labelled import LabelledImage
from elegan.provenance.manifest import Parent
from elegan.provenance.read import read_label
from elegan.provenance.seal import Sealed, seal, together
from elegan.provenance.write import (
    NO_SAMPLES,
    parent_of,
    write_archive,
    write_arrays,
    write_folder,
    write_gif,
    write_image,
    write_mp4,
)

__all__ = [
    "COMPOSITE", "NO_SAMPLES", "TRAINED", "TRAINED_DATA", "Label", "LabelledImage", "Parent", "Sealed",
    "checked_profile", "parent_of", "read_label", "seal", "together", "write_archive", "write_arrays", "write_folder",
    "write_gif", "write_image", "write_mp4",
]  # fmt: skip
