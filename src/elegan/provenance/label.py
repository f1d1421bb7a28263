"""What a generated file says of itself."""

import json
import os
import re
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from elegan.errors import UserError

TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
"""Sampled from a trained model (IPTC NewsCodes, Digital Source Type)."""
COMPOSITE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""Made by a trained model out of a real recording: image-to-image, restoration, inpainting."""
TRAINED_DATA = "http://c2pa.org/digitalsourcetype/trainedAlgorithmicData"
"""Numbers that are no picture or sound, made by a trained model (C2PA)."""


NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


GENERATED = ("trainedAlgorithmicMedia", "trainedAlgorithmicData", "algorithmicMedia", "compositeSynthetic")
"""Ends of the digital source types that a network's part is said by; "compositeWith…" ends like the first."""
PROFILES = ("", "cn")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Label:
    """Who made a file and from what; characters that XML can't hold (XML 1.0, section 2.2) become U+FFFD."""

    generator: str
    """The software, its version and the model: "elegan 0.1.0 r3gan"."""
    weights_sha256: str | None = None
    """SHA-256 of the file of weights; None before there is such a file."""
    seed: int | None = None
    """The seed of what was drawn."""
    run: str = ""
    """The name of the run folder."""
    created: str = field(default_factory=_now)
    """When, in ISO 8601, UTC."""
    digital_source_type: str = TRAINED
    """The full URI of the kind of making."""
    identifier: str = ""
    """A name that no other file has, "urn:uuid:…"; each file is given its own when it is written."""
    profile: str = ""
    """"cn" adds the field that China's labelling measures ask for."""
    visible: bool = False
    """Say it in the picture, too, for people to read."""

    def __post_init__(self) -> None:
        for name in ("generator", "run", "created", "digital_source_type", "identifier", "profile"):
            object.__setattr__(self, name, NOT_IN_XML.sub("\ufffd", getattr(self, name)))

    def for_one_file(self) -> "Label":
        """The label of a file that is about to be written: named as no other."""
        return replace(self, identifier=f"urn:uuid:{uuid4()}")

    def sentence(self) -> str:
        """The label for a person who looks at the file's comment."""
        made = "made from a real recording" if self.digital_source_type == COMPOSITE else "generated"
        facts = [f"with {self.generator}", f"at {self.created}"]
        facts += [f"run {self.run}"] if self.run else []
        facts += [f"weights {self.weights_sha256}"] if self.weights_sha256 else []
        facts += [f"seed {self.seed}"] if self.seed is not None else []
        return f"This was {made} by a neural network, " + ", ".join(facts) + "."

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Label | None":
        """The label in a JSON object; None where there is none in it."""
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(found, dict):
            return None
        known: dict[str, Any] = {key: found.get(key) for key in KINDS} | {key: found.get(key, "") for key in LATER}
        if not all(isinstance(known[key], kind) for key, kind in (KINDS | LATER).items()):
            return None
        return cls(**known)


def is_generated(digital_source_type: str) -> bool:
    """Whether a URI says that a network or another program made a file, or a part of it."""
    return digital_source_type.lower().endswith(tuple(kind.lower() for kind in GENERATED))


def checked_profile(asked: str | None) -> str:
    """A profile of labels: the one asked for, else $ELEGAN_PROFILE, else none.  Raises UserError for an unknown one."""
    profile = os.environ.get("ELEGAN_PROFILE", "") if asked is None else asked
    if profile not in PROFILES:
        name = "$ELEGAN_PROFILE" if asked is None else "--profile"
        raise UserError(f'{name} is "{profile}"; the only profile is "cn", and labels are the usual ones without it.')
    return profile


KINDS = {
    "generator": str, "weights_sha256": str | None, "seed": int | None, "run": str, "created": str,
    "digital_source_type": str,
}  # fmt: skip
LATER = {"identifier": str, "profile": str}
"""What files of the first version don't have."""
