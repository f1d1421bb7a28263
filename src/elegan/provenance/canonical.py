"""Whether a manifest's every byte is as it was written, where C2PA's signature and hashes leave some open.

A signature doesn't cover all of its manifest: not the padding, the names and types of boxes, the wrapping in the file.
In manifests that elegan wrote all of that follows from what is covered; so they are built anew from their covered
parts, and compared.  Of other programs' manifests the padding alone is checked, which is zeros everywhere.
"""

import hashlib
import struct
from collections.abc import Iterator, Sequence
from typing import Any

from elegan.provenance import cbor
from elegan.provenance.containers import TAIL, Slot, unhashed, wrapped
from elegan.provenance.manifest import GENERATION, REST

PADDING = "manifest.padding.changed"
FORM = "manifest.form.changed"
PLACE = "manifest.place.changed"
UNHASHED = "file.unhashed.changed"
CERTIFICATES = (33, "x5chain")
"""The header of a COSE signature that holds them (RFC 9360), and its name in C2PA's first version."""
INGREDIENT = "c2pa.ingredient"
LISTS = ("gathered_assertions", "created_assertions")
"""A claim's lists of assertions, in the order in which these are written."""
MISTAKES = (StopIteration, ValueError, KeyError, IndexError, TypeError, AttributeError, struct.error)
"""What comes of taking a stranger's bytes for a manifest."""


def padding(store: bytes) -> tuple[str, ...]:
    """PADDING where that of the active signature isn't zeros; none where no signature can be made out."""
    try:
        _, loose, *_ = _signature(store)
        return (PADDING,) if any(any(loose.get(name, b"")) for name in ("pad", "pad2")) else ()
    except MISTAKES:
        return ()


def fingerprint(store: bytes) -> str:
    """The first 12 hexadecimal digits of the SHA-256 of the certificate that signed; "" where none can be made out."""
    try:
        protected, loose, *_ = _signature(store)
        headers = loose | cbor.decode(protected)
        chain = next(headers[key] for key in CERTIFICATES if key in headers)
        leaf = chain if isinstance(chain, bytes) else chain[0]
        return hashlib.sha256(leaf).hexdigest()[:12]
    except MISTAKES:
        return ""


def changes(store: bytes, slot: Slot | None, content: bytes, kind: str) -> tuple[str, ...]:
    """What isn't as elegan writes it: FORM of the manifest, its PLACE in the file, or what C2PA leaves UNHASHED.

    ``slot`` is where the manifest lies in the content; None for a sidecar.
    """
    try:
        *others, active = _manifests(store)
        parts = _named(active)
        facts = _decoded(_named(parts["c2pa.assertions"]))
        if store != _built(parts, others) or not _linked(facts, others):
            return (FORM,)
        if not _in_place(store, slot, content, kind, facts):
            return (PLACE,)
        rest = None if slot is None else unhashed(content, kind)
        known = facts[GENERATION].get(REST)
        return (UNHASHED,) if rest is not None and _sha256(rest).hex() != known else ()
    except MISTAKES:
        return (FORM,)


def _in_place(store: bytes, slot: Slot | None, content: bytes, kind: str, facts: dict[str, Any]) -> bool:
    """Whether the manifest is wrapped as it must be, where the signed hash says that it lies."""
    left_out = facts.get("c2pa.hash.data", {}).get("exclusions", [])
    if slot is None:
        return not left_out
    if content[slot.start : slot.end] != wrapped(store, kind):
        return False
    if "c2pa.hash.data" in facts:
        return bool(left_out == [{"start": slot.start, "length": slot.end - slot.start}])
    return kind != "video/mp4" or content[:8] == struct.pack(">I4s", slot.start, b"ftyp")


def _built(parts: dict[str, bytes], others: Sequence[bytes]) -> bytes:
    """The store as it is written, from what signature and hashes cover."""
    data = _claim(parts)
    claim = cbor.decode(data)
    assertions = _named(parts["c2pa.assertions"])
    declared = [(found["url"], found["hash"]) for key in LISTS for found in claim.get(key, [])]
    if declared != [(f"self#jumbf=c2pa.assertions/{name}", _sha256(body)) for name, body in assertions.items()]:
        raise ValueError("the claim knows other assertions")
    name = claim["signature"].removeprefix("self#jumbf=/c2pa/").removesuffix("/c2pa.signature")
    manifest = _superbox(
        b"c2ma", name,
        _superbox(b"c2as", "c2pa.assertions", *(_box(b"jumb", body) for body in assertions.values())),
        _superbox(b"c2cl", "c2pa.claim.v2", _box(b"cbor", data)),
        _superbox(b"c2cs", "c2pa.signature", _box(b"cbor", _signed(_data(parts["c2pa.signature"])))),
    )  # fmt: skip
    return _superbox(b"c2pa", "c2pa", *(_box(b"jumb", body) for body in others), manifest)


def _signed(content: bytes) -> bytes:
    """A COSE_Sign1 (RFC 9052) with its padding emptied."""
    protected, loose, _, signature = cbor.decode(content)
    pad = cbor.string(bytes(len(loose["pad"])))
    return b"\xd2\x84" + cbor.string(protected) + b"\xa1\x63pad" + pad + b"\xf6" + cbor.string(signature)


def _linked(facts: dict[str, Any], others: Sequence[bytes]) -> bool:
    """Whether the parents' manifests are those that were taken in, and there are none but theirs and their parents'.

    A parent's own parents may have been changed before it was taken in; they are compared where nothing says so.
    """
    known, found = {_name(body): body for body in others}, set[str]()
    waiting = [(link, True) for link in _links(facts)]
    while waiting:
        (name, digest, whole), certain = waiting.pop()
        if certain and _sha256(known[name]) != digest:
            return False
        if name in known and name not in found:
            found.add(name)
            parts = _named(known[name])
            whole = whole and certain and "redacted_assertions" not in cbor.decode(_claim(parts))
            ingredients = {key: body for key, body in _named(parts["c2pa.assertions"]).items() if INGREDIENT in key}
            waiting += [(link, whole and bool(link[1])) for link in _links(_decoded(ingredients))]
    return found == set(known) and len(known) == len(others)


def _links(facts: dict[str, Any]) -> Iterator[tuple[str, bytes, bool]]:
    """The names of the manifests that a manifest's ingredients brought, their SHA-256, and whether they were whole.

    In early versions the hash was another one; it is b"" for these.
    """
    for name, data in facts.items():
        if INGREDIENT in name and (link := data.get("activeManifest") or data.get("c2pa_manifest")):
            sha256 = link["hash"] if "activeManifest" in data and link.get("alg", "sha256") == "sha256" else b""
            yield link["url"].rpartition("/")[2], sha256, not _failed(data.get("validationResults"))


def _failed(results: Any) -> bool:
    """Whether C2PA's results tell of a failure that isn't the signer's."""
    if isinstance(results, dict):
        failures = results.get("failure", [])
        if any(not found["code"].startswith("signingCredential.") for found in failures):
            return True
        return any(map(_failed, results.values()))
    return isinstance(results, list) and any(map(_failed, results))


def _claim(parts: dict[str, bytes]) -> bytes:
    return _data(next(body for name, body in parts.items() if name.startswith("c2pa.claim")))


def _sha256(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()


def _decoded(assertions: dict[str, bytes]) -> dict[str, Any]:
    return {name: cbor.decode(_data(body)) for name, body in assertions.items()}


def _signature(store: bytes) -> tuple[bytes, dict[Any, Any], Any, bytes]:
    """The active manifest's protected headers, its others, its payload, and the signature itself."""
    protected, loose, payload, signature = cbor.decode(_data(_named(_manifests(store)[-1])["c2pa.signature"]))
    return protected, loose, payload, signature


def _manifests(store: bytes) -> list[bytes]:
    """What is in the manifests' boxes; the last is the active one."""
    (_, body), *_ = _boxes(store)
    return [manifest for _, manifest in _boxes(body)[1:]]


def _named(body: bytes) -> dict[str, bytes]:
    """What is in the boxes within a box, by their names."""
    inner = [found for kind, found in _boxes(body)[1:] if kind == b"jumb"]
    return {_name(found): found for found in inner}


def _name(body: bytes) -> str:
    """A box's name, from its description."""
    _, description = _boxes(body)[0]
    return description[17 : description.index(b"\x00", 17)].decode("utf-8", errors="replace")


def _data(body: bytes) -> bytes:
    """The content that a box's description is about."""
    return _boxes(body)[1][1]


def _boxes(content: bytes) -> list[tuple[bytes, bytes]]:
    """Boxes one after another: type, and what is in each.  Raises ValueError where they don't fit."""
    place, found = 0, []
    while place < len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        if length < 8 or place + length > len(content):
            raise ValueError("boxes don't fit into each other")
        found.append((kind, content[place + 8 : place + length]))
        place += length
    return found


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _superbox(kind: bytes, name: str, *boxes: bytes) -> bytes:
    """A box of boxes, with its description."""
    description = _box(b"jumd", kind + TAIL + b"\x03" + name.encode() + b"\x00")
    return _box(b"jumb", description + b"".join(boxes))
