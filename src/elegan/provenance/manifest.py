"""What a signed manifest says of a file (C2PA Technical Specification 2.4), made from its label and its parents."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from elegan.provenance.label import NOT_IN_XML, Label

GENERATION = "org.elegan.generation"
"""The label of elegan's own assertion: which run's weights made the file, from which seed."""
REST = "unhashed_sha256"
"""Its field for the SHA-256 of what C2PA's own hash leaves out of films and archives."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Parent:
    """What a model was given to make a file from: a photo to translate, say."""

    content: bytes
    mime: str
    title: str


def definition(label: Label, parents: Sequence[Parent] = ()) -> Json:
    """The manifest, as the library takes it; the parents' own credentials are added to it by ``ingredient``."""
    agent = _agent(label)
    assertions = {
        "c2pa.actions.v2": {"actions": _actions(label, len(parents))},
        "c2pa.ai-disclosure": _disclosure(label),
        GENERATION: _generation(label),
    }
    found: Json = {
        "claim_version": 2,
        "claim_generator_info": [agent],
        # "created" says that the signer vouches for it, and hasn't only gathered it.
        "assertions": [{"label": name, "data": data, "created": True} for name, data in assertions.items()],
    }
    return found | ({"instance_id": label.identifier} if label.identifier else {})


def covering(found: Json, rest: bytes) -> Json:
    """The manifest, which now speaks for what C2PA's own hash leaves out of the file as well."""
    hashed = {REST: hashlib.sha256(rest).hexdigest()}
    assertions = [
        item | {"data": item["data"] | hashed} if item["label"] == GENERATION else item for item in found["assertions"]
    ]
    return found | {"assertions": assertions}


def ingredient(parent: Parent, number: int, of: int) -> Json:
    """What the manifest says of a parent; its name is the hash of its bytes, which the library doesn't keep.

    A file has one parent in C2PA's sense at most; of several, each is an input.
    """
    return {
        "title": NOT_IN_XML.sub("\ufffd", parent.title),  # a file's name may hold bytes that are no text
        "relationship": "parentOf" if of == 1 else "inputTo",
        "label": _name(number),
        "instance_id": f"sha256:{hashlib.sha256(parent.content).hexdigest()}",
    }


def _name(number: int) -> str:
    return f"parent{number}"


def _agent(label: Label) -> Json:
    name, version, *_ = [*label.generator.split(), "", ""]
    return {"name": name or "elegan"} | ({"version": version} if version else {})


def _actions(label: Label, parents: int) -> list[Json]:
    """How the file came to be: from nothing, out of several inputs, or by editing the one parent."""
    common: Json = {"when": label.created, "softwareAgent": _agent(label)}
    source = {"digitalSourceType": label.digital_source_type}
    given = {"parameters": {"ingredientIds": [_name(number) for number in range(parents)]}} if parents else {}
    if parents == 1:
        return [{"action": "c2pa.opened", **common, **given}, {"action": "c2pa.edited", **common, **source}]
    return [{"action": "c2pa.created", **common, **source, **given}]


def _disclosure(label: Label) -> Json:
    facts = {
        "modelType": "c2pa.types.model",
        "modelName": model_of(label),
        "modelIdentifier": label.weights_sha256 and f"sha256:{label.weights_sha256}",
    }
    return {key: value for key, value in facts.items() if value}


def _generation(label: Label) -> Json:
    facts = {
        "model": model_of(label),
        "run": label.run,
        "seed": None if label.seed is None else str(label.seed),  # JSON's readers cut long numbers short
        "weights_sha256": label.weights_sha256,
        "identifier": label.identifier,
        "created": label.created,
    }
    return {key: value for key, value in facts.items() if value}


def model_of(label: Label) -> str:
    """The model in "elegan 0.1.0 r3gan"."""
    return " ".join(label.generator.split()[2:])
