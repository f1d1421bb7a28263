"""What a file's credentials say, and how far that can be believed."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from elegan.provenance.label import NOT_IN_XML
from elegan.provenance.manifest import GENERATION

State = Literal["trusted", "valid", "invalid"]
EXPIRED = "signingCredential.expired"
UNTRUSTED = "signingCredential.untrusted"
UNREADABLE = "manifest.unreadable"
LONGEST = 300
"""Characters: a stranger's manifest may hold any text, of any length."""


@dataclass(frozen=True)
class KnownParent:
    """What a claim says of a file that it was made from."""

    title: str = ""
    mime: str = ""
    sha256: str | None = None
    """Of the parent's bytes, where the signer wrote it."""
    signer: str = ""
    """Who signed the parent, where it had credentials of its own."""
    digital_source_type: str = ""
    problems: tuple[str, ...] = ()
    """What was wrong with the parent's credentials when it was taken in."""


@dataclass(frozen=True)
class Claim:
    """A file's credentials.  "valid" is no recommendation: anyone can sign anything under any name."""

    state: State
    """trusted: the file is as it was signed, by this user or under a given anchor; valid: as it was signed, by
    an unknown signer or one whose certificate has run out since; invalid: not as it was signed."""
    problems: tuple[str, ...] = ()
    """C2PA's codes of what failed, and four of elegan's: ``manifest.unreadable: …`` where nothing could be made of the
    manifest; ``manifest.padding.changed``, ``manifest.form.changed``, ``manifest.place.changed`` and
    ``file.unhashed.changed`` where C2PA's checks pass, and yet some byte isn't as it was written."""
    signer: str = ""
    claim_generator: str = ""
    digital_source_type: str = ""
    weights_sha256: str | None = None
    seed: int | None = None
    model: str = ""
    run: str = ""
    created: str = ""
    identifier: str = ""
    parents: tuple[KnownParent, ...] = ()
    fingerprint: str = ""
    """How the SHA-256 of the signer's certificate begins, 12 hexadecimal digits: signers of one name differ in it."""

    @property
    def expired(self) -> bool:
        """The signer's certificate has run out; that alone is no tampering."""
        return EXPIRED in self.problems


def unreadable(why: str) -> Claim:
    """The claim of a file whose manifest can't be made out."""
    return Claim("invalid", (f"{UNREADABLE}: {_text(why)}",))


def is_own(report: dict[str, Any]) -> bool:
    """Whether the active manifest has elegan's own assertion."""
    active = _dict(_dict(report.get("manifests")).get(_text(report.get("active_manifest"))))
    return any(True for _ in _assertions(active, GENERATION))


def claim(report: dict[str, Any]) -> Claim:
    """The active manifest's claim in the library's report, which is a stranger's text within the library's frame."""
    manifests = _dict(report.get("manifests"))
    active = _dict(manifests.get(_text(report.get("active_manifest"))))
    actions = [_dict(action) for data in _assertions(active, "c2pa.actions") for action in _list(data.get("actions"))]
    own = next(_assertions(active, GENERATION), {})
    disclosed = next(_assertions(active, "c2pa.ai-disclosure"), {})
    state, problems = _state(report)
    return Claim(
        state=state,
        problems=problems,
        signer=_signer(active),
        claim_generator=_generator(active),
        digital_source_type=_first(actions, "digitalSourceType"),
        weights_sha256=_hash(own.get("weights_sha256")),
        seed=_seed(own.get("seed")),
        model=_text(own.get("model")) or _text(disclosed.get("modelName")),
        run=_text(own.get("run")),
        created=_first(actions, "when"),
        identifier=_text(active.get("instance_id")),
        parents=tuple(_parent(_dict(found), manifests) for found in _list(active.get("ingredients"))),
    )


def _state(report: dict[str, Any]) -> tuple[State, tuple[str, ...]]:
    """The library's verdict, but that a certificate which ran out is told apart from a file which was changed."""
    results = _dict(report.get("validation_results"))
    deltas = [_dict(_dict(delta).get("validationDeltas")) for delta in _list(results.get("ingredientDeltas"))]
    active = _dict(results.get("activeManifest"))
    problems = _failures(active, *deltas)
    whole = report.get("validation_state") in ("Trusted", "Valid")
    # The library doubts a file, too, whose parent's signer it has come to doubt; the file's own signer counts here.
    if whole and not _failures(active) and "signingCredential.trusted" in _codes(active, "success"):
        return "trusted", ()
    if whole or (EXPIRED in problems and {*problems} <= {EXPIRED, UNTRUSTED}):
        return "valid", problems
    return "invalid", problems


def _failures(*results: dict[str, Any]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(code for found in results for code in _codes(found, "failure")))


def _codes(results: dict[str, Any], kind: str) -> list[str]:
    return [_text(_dict(status).get("code")) for status in _list(results.get(kind))]


def _parent(found: dict[str, Any], manifests: dict[str, Any]) -> KnownParent:
    own = _dict(manifests.get(_text(found.get("active_manifest"))))
    actions = [_dict(action) for data in _assertions(own, "c2pa.actions") for action in _list(data.get("actions"))]
    name = _text(found.get("instance_id"))
    return KnownParent(
        title=_text(found.get("title")),
        mime=_text(found.get("format")),
        sha256=_hash(name.removeprefix("sha256:")),
        signer=_signer(own),
        digital_source_type=_first(actions, "digitalSourceType"),
        problems=_failures(_dict(_dict(found.get("validation_results")).get("activeManifest"))),
    )


def _assertions(manifest: dict[str, Any], label: str) -> Iterator[dict[str, Any]]:
    """The data of a manifest's assertions of a kind, in whatever version."""
    for assertion in map(_dict, _list(manifest.get("assertions"))):
        if re.fullmatch(rf"{re.escape(label)}(\.v\d+)?(__\d+)?", _text(assertion.get("label"))):
            yield _dict(assertion.get("data"))


def _signer(manifest: dict[str, Any]) -> str:
    signature = _dict(manifest.get("signature_info"))
    return _text(signature.get("common_name")) or _text(signature.get("issuer"))


def _generator(manifest: dict[str, Any]) -> str:
    """Name and version of the software; in manifests of the first version one string."""
    for info in map(_dict, _list(manifest.get("claim_generator_info"))):
        return f"{_text(info.get('name'))} {_text(info.get('version'))}".strip()
    return _text(manifest.get("claim_generator"))


def _first(actions: list[dict[str, Any]], key: str) -> str:
    return next((text for action in actions if (text := _text(action.get(key)))), "")


def _seed(found: object) -> int | None:
    return int(found) if isinstance(found, str) and re.fullmatch(r"-?[0-9]{1,40}", found) else None


def _hash(found: object) -> str | None:
    return found if isinstance(found, str) and re.fullmatch(r"[0-9a-f]{64}", found) else None


def _text(found: object) -> str:
    return NOT_IN_XML.sub("\ufffd", found[:LONGEST]) if isinstance(found, str) else ""


def _dict(found: object) -> dict[str, Any]:
    return found if isinstance(found, dict) else {}


def _list(found: object) -> list[Any]:
    return found if isinstance(found, list) else []
