"""Files are signed by this user alone, offline; what was changed since is said, whatever a file does about it."""

import hashlib
import io
import os
import random
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
import wave
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import elegan
from elegan.errors import UserError
from elegan.provenance import (
    COMPOSITE,
    TRAINED,
    TRAINED_DATA,
    Label,
    cbor,
    containers,
    credentials,
    gif,
    identity,
    mp4,
    xmp,
)
from elegan.provenance.claim import Claim, claim
from elegan.provenance.containers import STORE
from elegan.provenance.credentials import EMBEDS, Parent, read, sidecar, sign, sign_archive

c2pa = pytest.importorskip("c2pa")
pytest.importorskip("cryptography")

LABEL = Label(
    "elegan 0.1.0 r3gan", "a" * 64, 7, "숫자", "2026-11-24T12:00:00+00:00",
    identifier="urn:uuid:11111111-2222-4333-8444-555555555555",
)  # fmt: skip
PACKET = xmp.packet(LABEL)
PICTURES = ["image/png", "image/jpeg", "image/webp", "image/gif"]
SIZE = 8_000


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    """A user of this test's own."""
    return move_to(tmp_path / "home", monkeypatch)


def move_to(folder, monkeypatch):
    monkeypatch.setenv("ELEGAN_HOME", str(folder))
    return folder


def picture(mime, seed=0):
    """A picture with its label in XMP."""
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    image, buffer = Image.fromarray(pixels), io.BytesIO()
    if mime == "image/png":
        text = PngInfo()
        text.add_itxt("XML:com.adobe.xmp", PACKET)
        image.save(buffer, "PNG", pnginfo=text, compress_level=0)
    elif mime == "image/gif":
        image.save(buffer, "GIF")
        return gif.insert(buffer.getvalue(), PACKET)
    else:
        image.save(buffer, mime.removeprefix("image/"), xmp=PACKET.encode())
    return buffer.getvalue()


def sound(seed=0):
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(random.Random(seed).randbytes(800))
    return buffer.getvalue()


def box(kind, *contents):
    body = b"".join(contents)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def film(seed=0):
    """The boxes of a film of one sample, with its label in XMP."""
    start = box(b"ftyp", b"isom", bytes(4), b"isommp41")

    def movie(place):
        chunk = box(b"stco", struct.pack(">III", 0, 1, place))
        table = box(
            b"stbl", *(box(kind, bytes(8)) for kind in (b"stsd", b"stts", b"stsc")), box(b"stsz", bytes(12)), chunk
        )
        media = box(b"mdia", box(b"mdhd", bytes(24)), box(b"hdlr", bytes(24)), box(b"minf", table))
        return box(b"moov", box(b"mvhd", bytes(100)), box(b"trak", box(b"tkhd", bytes(84)), media))

    place = len(start + movie(0)) + 8
    return mp4.insert(start + movie(place) + box(b"mdat", random.Random(seed).randbytes(200)), PACKET)


def made(mime, seed=0):
    if mime == "audio/wav":
        return sound(seed)
    return film(seed) if mime == "video/mp4" else picture(mime, seed)


def archive(members=None, **options):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as file:
        for name, content in (members or {f"{seed}.png": picture("image/png", seed) for seed in range(3)}).items():
            file.writestr(name, content)
    return buffer.getvalue()


def flipped(content, place, bit=0):
    changed = bytearray(content)
    changed[place] ^= 1 << bit
    return bytes(changed)


def chunks(png):
    place = 8
    while place < len(png):
        (length,) = struct.unpack_from(">I", png, place)
        yield png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        place += 12 + length


def png_of(parts):
    whole = b"\x89PNG\r\n\x1a\n"
    for kind, body in parts:
        whole += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return whole


# what is signed


@pytest.mark.parametrize("mime", EMBEDS)
def test_a_signed_file_tells_what_made_it(mime):
    signed = sign(made(mime), mime, LABEL)
    found = read(signed, mime)
    assert found == Claim(
        "trusted", (), "elegan local, self-issued", "elegan 0.1.0", TRAINED, "a" * 64, 7, "r3gan", "숫자",
        LABEL.created, LABEL.identifier, fingerprint=found.fingerprint,
    )  # fmt: skip
    assert read(signed, None) == found


@pytest.mark.parametrize("mime", EMBEDS)
def test_a_signature_is_small(mime):
    assert len(sign(made(mime), mime, LABEL)) - len(made(mime)) <= SIZE


@pytest.mark.parametrize("mime", EMBEDS)
def test_elsewhere_the_same_signature_is_an_unknown_signer_s(mime, monkeypatch, tmp_path):
    signed = sign(made(mime), mime, LABEL)
    elsewhere = move_to(tmp_path / "elsewhere", monkeypatch)
    assert read(signed, mime).state == "valid"
    assert not elsewhere.exists(), "reading makes no identity"
    identity.identity()
    found = read(signed, mime)
    assert (found.state, found.problems) == ("valid", ("signingCredential.untrusted",))


def test_another_user_s_root_can_be_trusted(monkeypatch, tmp_path):
    signed, root = sign(made("image/png"), "image/png", LABEL), identity.identity().root
    move_to(tmp_path / "elsewhere", monkeypatch)
    assert read(signed, "image/png", anchors=[identity.identity().root, root]).state == "trusted"
    for junk in (
        b"",
        b"junk",
        identity.identity().key,
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
    ):
        with pytest.raises(UserError, match="anchor"):
            read(signed, "image/png", anchors=[junk])


@pytest.mark.parametrize("mime", PICTURES)
def test_the_label_and_the_pixels_stay_as_they_were(mime):
    before, after = made(mime), sign(made(mime), mime, LABEL)
    with Image.open(io.BytesIO(before)) as one, Image.open(io.BytesIO(after)) as two:
        assert np.array_equal(np.asarray(one.convert("RGB")), np.asarray(two.convert("RGB")))
    assert PACKET.encode() in after


def test_a_film_keeps_its_label_and_finds_its_samples():
    before, after = film(), sign(film(), "video/mp4", LABEL)
    assert mp4.extract(after) == PACKET
    for content in (before, after):
        (place,) = struct.unpack_from(">I", content, content.index(b"stco") + 12)
        assert content[place - 4 : place] == b"mdat"


def test_a_label_that_says_little_is_signed_as_well():
    found = read(sign(made("image/png"), "image/png", Label("elegan", digital_source_type=TRAINED_DATA)), "image/png")
    assert (found.state, found.digital_source_type, found.claim_generator) == ("trusted", TRAINED_DATA, "elegan")
    assert (found.weights_sha256, found.seed, found.model) == (None, None, "")


def test_long_seeds_come_back():
    for seed in (0, -1, 2**64 - 1, 10**30):
        label = Label("elegan 0.1.0 gan", seed=seed)
        assert read(sign(made("image/png"), "image/png", label), "image/png").seed == seed


def test_what_cannot_be_signed_is_said():
    with pytest.raises(UserError, match="text/csv"):
        sign(b"a,b", "text/csv", LABEL)
    for content in (b"no picture", made("image/jpeg"), made("image/png")[:50]):
        with pytest.raises(UserError, match="signed"):
            sign(content, "image/png", LABEL)
    with pytest.raises(UserError, match="empty"):
        sidecar(b"", LABEL)
    with pytest.raises(UserError, match="ZIP"):
        sign_archive(archive(compression=zipfile.ZIP_DEFLATED), LABEL)


def test_threads_sign_side_by_side():
    def signed_and_read(seed):
        return read(sign(picture("image/png", seed), "image/png", LABEL), "image/png").state

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(signed_and_read, range(40))) == {"trusted"}


# sidecars and archives


@pytest.mark.parametrize(
    "content", [b"a,b\n1,2\n", b"{}", bytes(range(256)), archive(compression=zipfile.ZIP_DEFLATED)]
)
def test_a_sidecar_speaks_for_its_bytes_alone(content):
    beside = sidecar(content, LABEL)
    assert read(content, None) is None
    assert read(content, None, beside) == read(content, "text/csv", beside)
    assert read(content, None, beside).state == "trusted"
    for place in range(0, len(content), 1 + len(content) // 20):
        assert read(flipped(content, place), None, beside).state == "invalid"
    for changed in (content + b"\n", content[:-1], b"", b" " + content):
        assert read(changed, None, beside).state == "invalid"


def test_a_broken_sidecar_is_no_sidecar():
    beside = sidecar(b"a,b\n", LABEL)
    for broken in (b"", b"junk", beside[:100], beside[:-1000], STORE):
        assert read(b"a,b\n", None, broken).state == "invalid"


def test_one_signature_serves_an_archive():
    signed = sign_archive(archive(), LABEL)
    assert read(signed, "application/zip") == read(signed, None)
    assert read(signed, None).state == "trusted"
    with zipfile.ZipFile(io.BytesIO(signed)) as file:
        assert file.testzip() is None
        assert file.read("0.png") == picture("image/png", 0)


def test_an_archive_notices_whatever_is_done_to_its_files():
    signed = sign_archive(archive(), LABEL)
    with zipfile.ZipFile(io.BytesIO(signed)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    changes = [
        members | {"1.png": picture("image/png", 9)},
        members | {"more.png": b"more"},
        {name: content for name, content in members.items() if name != "1.png"},
        {name.replace("1.png", "x.png"): content for name, content in members.items()},
    ]
    assert {read(archive(changed), "application/zip").state for changed in changes} == {"invalid"}
    start = signed.index(picture("image/png", 1))
    for place in range(start - 35, start + 1000, 40):
        assert read(flipped(signed, place), "application/zip").state == "invalid"


def test_what_holds_a_signed_picture_is_not_signed_itself():
    signed = sign(made("image/png"), "image/png", LABEL)
    assert read(archive({"a.png": signed}), "application/zip") is None
    assert read(film() + box(b"free", signed), "video/mp4") is None
    assert read(b"any file" + signed, None) is None


# what has been changed since


def test_one_changed_pixel_is_noticed():
    signed = sign(made("image/png"), "image/png", LABEL)
    parts = list(chunks(signed))
    assert png_of(parts) == signed
    lines = bytearray(zlib.decompress(b"".join(body for kind, body in parts if kind == b"IDAT")))
    for place in range(1, len(lines), 5):
        changed = zlib.compress(flipped(lines, place), 0)
        forged = png_of([(kind, changed if kind == b"IDAT" else body) for kind, body in parts])
        with Image.open(io.BytesIO(forged)) as image:
            image.load()
        assert read(forged, "image/png").problems == ("assertion.dataHash.mismatch",)


@pytest.mark.parametrize("mime", [*PICTURES, "video/mp4"])
def test_one_changed_letter_of_the_label_is_noticed(mime):
    signed = sign(made(mime), mime, LABEL)
    start = signed.index(PACKET.encode())
    for place in range(start, start + len(PACKET.encode()), 13):
        forged = flipped(signed, place)
        if mime == "image/png":
            forged = png_of(chunks(forged))
        assert read(forged, mime).state == "invalid"


def states(read_it, content, step):
    """What is said of the content with one byte changed, for every step-th byte."""
    changed = (flipped(content, place, place % 8) for place in range(0, len(content), step))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(read_it, changed))
    return {claim and claim.state for claim in found}


def test_no_byte_of_a_signed_picture_can_be_changed():
    with Image.new("L", (1, 1)) as image, io.BytesIO() as buffer:
        image.save(buffer, "PNG")
        signed = sign(buffer.getvalue(), "image/png", Label("elegan"))
    assert read(signed, "image/png").state == "trusted"
    assert states(lambda changed: read(changed, "image/png"), signed, 1) == {"invalid"}


@pytest.mark.parametrize("mime", [mime for mime in EMBEDS if mime != "image/png"])
def test_no_byte_of_a_signed_file_can_be_changed(mime):
    assert states(lambda changed: read(changed, mime), sign(made(mime), mime, LABEL), 7) == {"invalid"}


def test_no_byte_of_a_signed_archive_can_be_changed():
    signed = sign_archive(archive({"a.csv": b"a,b", "b": b""}), LABEL)
    assert read(signed, None).state == "trusted"
    assert states(lambda changed: read(changed, "application/zip"), signed, 7) == {"invalid"}


def test_no_byte_of_a_sidecar_can_be_changed():
    beside = sidecar(b"a,b", LABEL)
    assert states(lambda changed: read(b"a,b", None, changed), beside, 7) == {"invalid"}


def test_no_byte_of_a_parent_s_credentials_can_be_changed():
    first = sign(made("image/png"), "image/png", LABEL)
    second = sign(made("image/gif"), "image/gif", LABEL, [Parent(first, "image/png", "first")])
    third = sign(made("image/jpeg"), "image/jpeg", LABEL, [Parent(second, "image/gif", "second")])
    assert read(third, "image/jpeg").state == "trusted"
    assert states(lambda changed: read(changed, "image/jpeg"), third, 17) == {"invalid"}


def test_a_parent_that_was_damaged_before_is_no_damage_to_what_is_made_from_it():
    first = sign(made("image/png"), "image/png", LABEL)
    second = sign(made("image/gif"), "image/gif", LABEL, [Parent(flipped(first, -20), "image/png", "first")])
    forged = flipped(second, second.index(b"c2pa.opened"))
    for parent in (second, forged, flipped(second, second.index(bytes(200)))):
        signed = sign(made("image/jpeg"), "image/jpeg", LABEL, [Parent(parent, "image/gif", "second")])
        assert read(signed, "image/jpeg").state == "trusted"


@pytest.mark.parametrize(
    ("content", "value"),
    [("00", 0), ("3903e7", -1000), ("1bffffffffffffffff", 2**64 - 1), ("83010203", [1, 2, 3]), ("f6", None),
     ("f5", True), ("a26161016162820203", {"a": 1, "b": [2, 3]}), ("4401020304", b"\1\2\3\4"), ("63e6b0b4", "水"),
     ("fb3ff199999999999a", 1.1), ("c11a514b67b0", 1363896240)],
)  # fmt: skip
def test_cbor_is_read_as_its_standard_s_examples_say(content, value):
    assert cbor.decode(bytes.fromhex(content)) == value


@pytest.mark.parametrize(
    "content",
    ["", "18", "62c3", "9bffffffffffffffff01", "0000", "9f01ff", "1c", "81" * 100 + "00", "bbffffffffffffffff"],
)
def test_cbor_that_cannot_be_read_is_an_error(content):
    with pytest.raises(ValueError, match="CBOR"):
        cbor.decode(bytes.fromhex(content))


def test_a_manifest_in_several_parts_is_read():
    parents = [
        Parent(sign(picture("image/png", seed), "image/png", LABEL), "image/png", str(seed)) for seed in range(11)
    ]
    signed = sign(made("image/jpeg"), "image/jpeg", LABEL, parents)
    assert signed.count(b"JP\x02\x11") == 2
    assert read(signed, "image/jpeg").state == "trusted"


def test_padding_is_no_place_for_text():
    signed = sign(made("image/gif"), "image/gif", LABEL), sidecar(b"a,b", LABEL)
    for content, place in ((signed[0], signed[0].index(bytes(200)) + 10), (signed[1], signed[1].index(bytes(200)))):
        forged = content[:place] + b"Taken by a camera." + content[place + 18 :]
        found = read(forged, "image/gif") if content is signed[0] else read(b"a,b", None, forged)
        assert (found.state, found.problems[0]) == ("invalid", "manifest.padding.changed")


def test_what_other_programs_sign_is_held_to_empty_padding_alone():
    other = signed_by_another_program()
    assert read(other, "image/png").state == "trusted"
    parts = dict(chunks(other))
    manifest = parts[b"caBX"]
    place = manifest.rindex(bytes(200))
    for changed, problems in (
        (manifest.replace(b"\x03c2pa.signature", b"\x03c2pa.signaturf"), ()),
        (flipped(manifest, place), ("manifest.padding.changed",)),
    ):
        forged = png_of([(kind, changed if kind == b"caBX" else body) for kind, body in chunks(other)])
        assert read(forged, "image/png").problems == problems


@pytest.mark.parametrize("kind", [b"free", b"skip", b"mfra", b"uuid"])
def test_nothing_can_be_added_to_a_film(kind):
    signed = sign(film() + box(b"free", bytes(8)), "video/mp4", LABEL)
    assert read(signed, "video/mp4").state == "trusted"
    start, end = containers.slot(signed, "video/mp4").start, containers.slot(signed, "video/mp4").end
    slot, added = signed[start:end], box(kind, containers.BOX, b"Taken by a camera.")
    ends = len(signed) - 16
    for forged in (
        signed + added,
        signed[:end] + added + signed[end:],
        signed[:start] + added + signed[start:],
        signed[:8] + b"mp42" + signed[12:],
        signed[:ends] + box(b"free", b"anything"),
        signed[:ends] + box(b"skip", bytes(8)),
        signed[:ends],
        signed + slot,
        signed[:start] + signed[end:] + slot,
    ):
        assert read(forged, "video/mp4").state == "invalid"


def test_padding_cannot_be_traded_for_something_else():
    """The signed hash leaves the manifest's place out; whoever shortens the padding has room in it."""
    signed = sign(made("image/png"), "image/png", LABEL)
    found = containers.slot(signed, "image/png")
    text = png_of([(b"tEXt", b"Comment\x00Taken by a camera.")])[8:]
    shorter = with_less_padding(found.manifest, len(text))
    forged = signed[: found.start] + png_of([(b"caBX", shorter)])[8:] + text + signed[found.end :]
    assert len(forged) == len(signed)
    assert read(forged, "image/png").state == "invalid"


def with_less_padding(manifest, less):
    place = manifest.rindex(b"\xa1cpadY") + 5
    (length,) = struct.unpack_from(">H", manifest, place + 1)
    cut = manifest[:place] + struct.pack(">BH", 0x59, length - less) + manifest[place + 3 + less :]
    active, signature = cut.index(b"jumb", 8) - 4, cut.rindex(b"jumdc2cs") - 12
    inner = cut.index(b"cbor", signature) - 4
    changed = bytearray(cut)
    for start in (0, active, signature, inner):
        (size,) = struct.unpack_from(">I", cut, start)
        struct.pack_into(">I", changed, start, size - less)
    return bytes(changed)


def test_a_manifest_taken_out_of_its_file_is_no_sidecar():
    signed = sign(made("image/png"), "image/png", LABEL)
    found = containers.slot(signed, "image/png")
    junk = signed[: found.start] + bytes(found.end - found.start) + signed[found.end :]
    assert read(junk, None, found.manifest).state == "invalid"


def test_nothing_can_be_added_to_a_sidecar():
    beside, other = sidecar(b"a,b", LABEL), sidecar(b"c,d", LABEL)
    extra = box(b"jumb", beside[8:38], other[38:], beside[38:])
    assert read(b"a,b", None, extra).state == "invalid"
    assert read(b"a,b", None, beside + bytes(8)).state == "invalid"
    assert read(b"a,b", None, with_less_padding(beside, 0)).state == "trusted"


@pytest.mark.parametrize("mime", EMBEDS)
def test_a_manifest_of_which_nothing_can_be_made_out_is_an_invalid_claim(mime):
    signed = sign(made(mime), mime, LABEL)
    start = signed.index(STORE)
    for forged in (
        signed[:start] + bytes(16) + signed[start + 16 :],
        signed[: start + 16] + bytes(6) + signed[start + 22 :],
        signed[: start - 16] + bytes(16) + signed[start:],
    ):
        found = read(forged, mime)
        assert found.state == "invalid"
        assert found.problems[0].startswith("manifest.unreadable")


@pytest.mark.parametrize("mime", ["image/png", "image/gif", "image/webp", "video/mp4", "audio/wav"])
def test_a_place_made_for_a_manifest_that_holds_none_is_an_invalid_claim(mime):
    signed = sign(made(mime), mime, LABEL)
    found = containers.slot(signed, mime)
    assert containers.wrapped(found.manifest, mime) == signed[found.start : found.end]
    junk = containers.wrapped(random.Random(0).randbytes(len(found.manifest)), mime)
    claimed = read(signed[: found.start] + junk + signed[found.end :], mime)
    assert claimed.state == "invalid"
    assert claimed.problems[0].startswith("manifest.unreadable")


def test_a_file_is_known_by_its_content_and_not_by_its_name():
    signed = sign(made("image/png"), "image/png", LABEL)
    assert read(signed, "image/jpeg") == read(signed, "video/mp4") == read(signed, "image/png")


def test_signers_of_one_name_have_fingerprints(monkeypatch, tmp_path):
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    found = read(sign(made("image/png"), "image/png", LABEL), "image/png")
    leaf, _ = x509.load_pem_x509_certificates(identity.identity().certificates)
    assert found.fingerprint == leaf.fingerprint(SHA256()).hex()[:12]
    assert read(b"a,b", None, sidecar(b"a,b", LABEL)).fingerprint == found.fingerprint
    move_to(tmp_path / "elsewhere", monkeypatch)
    other = read(sign(made("image/png"), "image/png", LABEL), "image/png")
    assert other.signer == found.signer
    assert other.fingerprint != found.fingerprint


@pytest.mark.parametrize("mime", EMBEDS)
def test_a_manifest_speaks_for_no_other_file(mime):
    raw, other = made(mime, 0), made(mime, 1)
    signed = sign(raw, mime, LABEL)
    if mime == "video/mp4":
        sample = [content[content.index(b"mdat") + 4 :][:200] for content in (raw, other)]
        moved = signed.replace(*sample)
    elif raw[:4] == b"RIFF":
        moved = other + signed[len(raw) :]
        moved = moved[:4] + struct.pack("<I", len(moved) - 8) + moved[8:]
    else:
        start = next(place for place in range(len(raw)) if raw[place] != signed[place])
        moved = other[:start] + signed[start : start + len(signed) - len(raw)] + other[start:]
    assert read(moved, mime).problems in (("assertion.dataHash.mismatch",), ("assertion.bmffHash.mismatch",))


@pytest.mark.parametrize("mime", PICTURES)
def test_a_saved_copy_has_no_credentials(mime):
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(sign(made(mime), mime, LABEL))) as image:
        image.save(buffer, mime.removeprefix("image/"))
    assert read(buffer.getvalue(), mime) is None


@pytest.mark.parametrize("mime", EMBEDS)
def test_who_strips_a_file_and_signs_it_again_is_not_trusted(mime, monkeypatch, tmp_path, home):
    ours = sign(made(mime), mime, LABEL)
    move_to(tmp_path / "stranger", monkeypatch)
    stripped, over = sign(made(mime), mime, LABEL), sign(made(mime), mime, LABEL, [Parent(ours, mime, "ours")])
    move_to(home, monkeypatch)
    assert read(ours, mime).state == "trusted"
    assert read(stripped, mime).state == read(over, mime).state == "valid"


def test_a_certificate_that_ran_out_is_no_tampering(monkeypatch):
    monkeypatch.setattr(identity, "LIFETIME", timedelta(seconds=3))
    signed = sign(made("image/png"), "image/png", LABEL)
    assert not read(signed, "image/png").expired
    patience = time.monotonic() + 20
    while not (found := read(signed, "image/png")).expired and time.monotonic() < patience:
        time.sleep(0.1)
    assert (found.state, found.expired) == ("valid", True)
    assert read(flipped(signed, -20), "image/png").state == "invalid"
    with pytest.raises(UserError, match="ran out on"):
        identity.identity()


# files that mean harm


def mutations(content, seed, count):
    """Bits turned, parts cut, doubled and dropped, lengths made huge."""
    chance = random.Random(seed)
    for _ in range(count):
        changed = bytearray(content)
        for _ in range(chance.choice((1, 1, 2, 8))):
            place, other = sorted(chance.randrange(len(changed)) for _ in range(2))
            action = chance.randrange(6)
            if action == 0:
                changed[place] ^= 1 << chance.randrange(8)
            elif action == 1:
                del changed[other + 1 :]
            elif action == 2:
                changed[place : place + 4] = chance.choice(
                    (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", bytes(4), b"\0\0\0\1")
                )
            elif action == 3:
                changed[place:place] = changed[place:other]
            elif action == 4:
                del changed[place : min(other, place + 64)]
            else:
                changed[place : place + 1] = bytes([chance.choice((0x5B, 0x7B, 0x9B, 0xBB, 0xDB))]) + b"\xff" * 8
            changed = changed or bytearray(1)
        yield bytes(changed)


@pytest.mark.parametrize("mime", [*EMBEDS, "application/zip"])
def test_whatever_is_done_to_a_file_it_is_never_trusted_for_another_claim(mime):
    signed = sign_archive(archive(), LABEL) if mime == "application/zip" else sign(made(mime), mime, LABEL)
    whole = read(signed, mime)
    states = set()
    for changed in mutations(signed, mime, 250):
        found = read(changed, mime)
        assert found is None or found == whole or found.state == "invalid"
        states.add(found and found.state)
    assert "invalid" in states


def store(inner):
    return box(b"jumb", box(b"jumd", STORE, b"\x03c2pa\0"), inner)


def with_manifest(manifest):
    first, *rest = chunks(made("image/png"))
    return png_of([first, (b"caBX", manifest), *rest])


def nested(depth):
    inner = b""
    for _ in range(depth):
        inner = store(inner)
    return inner


@pytest.mark.parametrize(
    "manifest",
    [
        nested(5000),
        store(box(b"cbor", b"\x81" * 100_000)),
        struct.pack(">I4sQ", 1, b"jumb", 1 << 62) + STORE,
        struct.pack(">I4s", 0xFFFFFFF0, b"jumb") + STORE,
        STORE,
    ],
    ids=["nested boxes", "nested values", "huge box", "long box", "nothing"],
)
def test_a_manifest_made_to_do_harm_is_an_invalid_claim(manifest):
    found = read(with_manifest(manifest), "image/png")
    assert found.state == "invalid"
    assert found.problems[0].startswith("manifest.unreadable")


def test_a_file_of_endless_small_parts_is_given_up(monkeypatch):
    monkeypatch.setattr(credentials, "MAX_CALLS", 1000)
    body = b"WAVE" + bytes(80_000) + STORE
    assert read(b"RIFF" + struct.pack("<I", len(body)) + body, "audio/wav").state == "invalid"


def test_a_stranger_s_manifest_may_say_anything():
    keys = "claim_generator_info", "assertions", "ingredients", "signature_info", "instance_id"
    for value in (None, 7, "\x1b[2J" * 1000, [], {}, [None], {"data": 7}):
        for active in (
            value,
            dict.fromkeys(keys, value),
            {key: [value, {"label": value, "data": value}] for key in keys},
        ):
            found = claim({"active_manifest": "x", "manifests": {"x": active}, "validation_results": value})
            assert found.state == "invalid"
            assert "\x1b" not in repr(found)
            assert len(repr(found)) < 10_000
    actions = {"label": "c2pa.actions", "data": {"actions": [7, {"when": "\x1b[2J", "digitalSourceType": TRAINED}]}}
    found = claim({"active_manifest": "x", "manifests": {"x": {"assertions": [7, actions]}}})
    assert (found.created, found.digital_source_type) == ("\ufffd[2J", TRAINED)


# parents


def test_a_parent_is_named_with_its_hash_and_keeps_its_credentials(monkeypatch, tmp_path, home):
    move_to(tmp_path / "photographer", monkeypatch)
    photo = sign(made("image/jpeg"), "image/jpeg", Label("camera 1", digital_source_type=TRAINED_DATA))
    move_to(home, monkeypatch)
    label = Label("elegan 0.1.0 pix2pix", digital_source_type=COMPOSITE)
    signed = sign(made("image/png"), "image/png", label, [Parent(photo, "image/jpeg", "photo.jpg")])
    found = read(signed, "image/png")
    assert (found.state, found.digital_source_type) == ("trusted", COMPOSITE)
    (parent,) = found.parents
    assert (parent.title, parent.mime) == ("photo.jpg", "image/jpeg")
    assert parent.sha256 == hashlib.sha256(photo).hexdigest()
    assert (parent.digital_source_type, parent.problems) == (TRAINED_DATA, ("signingCredential.untrusted",))
    with c2pa.Reader("image/png", io.BytesIO(signed)) as reader:
        manifest = reader.get_active_manifest()
    actions = next(found["data"]["actions"] for found in manifest["assertions"] if found["label"] == "c2pa.actions.v2")
    assert [action["action"] for action in actions] == ["c2pa.opened", "c2pa.edited"]
    assert manifest["ingredients"][0]["relationship"] == "parentOf"
    assert len(actions[0]["parameters"]["ingredients"]) == 1


def test_a_parent_that_was_tampered_with_is_told():
    photo = sign(made("image/jpeg"), "image/jpeg", LABEL)
    forged = flipped(photo, -20)
    found = read(sign(made("image/png"), "image/png", LABEL, [Parent(forged, "image/jpeg", "a")]), "image/png")
    assert found.state == "trusted"
    assert "assertion.dataHash.mismatch" in found.parents[0].problems


def test_any_file_can_be_a_parent():
    photo = sign(made("image/jpeg"), "image/jpeg", LABEL)
    parents = [
        Parent(photo, "image/png", "misnamed"), Parent(b"BM", "image/bmp", "b"), Parent(b"", "image/png", "empty"),
        Parent(made("image/png")[:40], "image/png", "cut"), Parent(b"a,b", "text/csv", "c"),
    ]  # fmt: skip
    found = read(sign(made("image/png"), "image/png", LABEL, parents), "image/png")
    assert found.state == "trusted"
    assert [parent.title for parent in found.parents] == [parent.title for parent in parents]
    assert [parent.sha256 for parent in found.parents] == [hashlib.sha256(p.content).hexdigest() for p in parents]
    assert found.parents[0].signer == "elegan local, self-issued"


def test_a_sidecar_has_parents_too():
    parents = [Parent(made("image/png"), "image/png", title) for title in ("사진.png", "\udcff.png")]
    beside = sidecar(b"a,b\n", LABEL, parents)
    assert [parent.title for parent in read(b"a,b\n", None, beside).parents] == ["사진.png", "\ufffd.png"]


# who signs


def test_keys_are_the_owner_s_alone(home):
    umask = os.umask(0)
    try:
        identity.identity()
    finally:
        os.umask(umask)
    folder = home / "identity"
    assert {path.name for path in folder.iterdir()} == {"certificates.pem", "key.pem", "root.pem"}
    assert [path.stat().st_mode & 0o777 for path in (home, folder)] == [0o700, 0o700]
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert [path.name for path in home.iterdir()] == ["identity"]


def test_an_identity_names_nobody_and_nothing_of_this_machine():
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    found = identity.identity()
    assert identity.identity() == found
    assert found.key.decode() not in repr(found)
    leaf, root = x509.load_pem_x509_certificates(found.certificates)
    for certificate in (leaf, root):
        names = certificate.subject.rdns + certificate.issuer.rdns
        assert {part.value for name in names for part in name} <= {identity.COMMON_NAME, f"{identity.COMMON_NAME} root"}
        assert socket.gethostname().encode() not in certificate.public_bytes(Encoding.DER)
    years = (leaf.not_valid_after_utc - leaf.not_valid_before_utc).days / 365.25
    assert 9.9 < years < 10.1


@pytest.mark.parametrize("harm", ["missing", "junk", "empty", "other"])
@pytest.mark.parametrize("name", ["certificates.pem", "key.pem", "root.pem"])
def test_a_damaged_identity_is_said_and_not_replaced(name, harm, home, monkeypatch, tmp_path):
    identity.identity()
    move_to(tmp_path / "other", monkeypatch)
    identity.identity()
    move_to(home, monkeypatch)
    path = home / "identity" / name
    if harm == "missing":
        path.unlink()
    elif harm == "other":
        shutil.copy(tmp_path / "other" / "identity" / name, path)
    else:
        path.write_bytes(b"junk" if harm == "junk" else b"")
    before = {path.name: path.read_bytes() for path in (home / "identity").iterdir()}
    with pytest.raises(UserError, match="damaged"):
        sign(made("image/png"), "image/png", LABEL)
    assert {path.name: path.read_bytes() for path in (home / "identity").iterdir()} == before


def test_a_place_that_cannot_be_written_is_said(home, monkeypatch):
    home.write_text("a file")
    for place in (home, Path("/proc/nope"), home / "below"):
        move_to(place, monkeypatch)
        with pytest.raises(UserError, match=r"identity can't be made in \".*identity\": "):
            identity.identity()


def test_one_root_of_its_own_alone_is_trusted_by_itself(home, monkeypatch, tmp_path):
    signed, own = sign(made("image/png"), "image/png", LABEL), identity.identity()
    move_to(tmp_path / "stranger", monkeypatch)
    stranger = identity.identity()
    move_to(home, monkeypatch)
    leaf, _ = own.certificates.split(b"-----END CERTIFICATE-----\n", 1)
    leaf += b"-----END CERTIFICATE-----\n"
    path = home / "identity" / "root.pem"
    for planted in (own.root + stranger.root, leaf, own.certificates, own_issuer_of_another_name()):
        path.write_bytes(planted)
        with pytest.raises(UserError, match=r"damaged \(root\.pem"):
            read(signed, "image/png")
    path.write_bytes(own.root)
    assert read(signed, "image/png", anchors=[stranger.root + own.root]).state == "trusted"
    for anchor in (leaf, stranger.root + leaf):
        with pytest.raises(UserError, match="anchor"):
            read(signed, "image/png", anchors=[anchor])


def own_issuer_of_another_name():
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identity, "ROOT_NAME", "someone else")
        return identity._root(ec.generate_private_key(ec.SECP256R1())).public_bytes(Encoding.PEM)


def test_processes_that_start_at_once_have_one_identity(home, tmp_path):
    program = (
        "import sys, time, hashlib, pathlib\n"
        "from elegan.provenance.identity import identity\n"
        "print('ready', flush=True)\n"
        "while not pathlib.Path(sys.argv[1]).exists(): pass\n"
        "print(hashlib.sha256(identity().certificates).hexdigest())\n"
    )
    go = tmp_path / "go"
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(go)], stdout=subprocess.PIPE, text=True, env=environment())
        for _ in range(3)
    ]
    assert [process.stdout.readline() for process in running] == ["ready\n"] * 3
    go.touch()
    assert len({process.communicate(timeout=60)[0] for process in running}) == 1
    assert [process.returncode for process in running] == [0, 0, 0]
    assert [path.name for path in home.iterdir()] == ["identity"]


def environment():
    return os.environ | {"PYTHONPATH": str(Path(elegan.__file__).parents[1])}


@pytest.mark.parametrize("package", ["c2pa", "cryptography.x509"])
def test_without_the_packages_it_says_what_to_install(package, monkeypatch):
    assert credentials.available()
    signed = sign(made("image/png"), "image/png", LABEL)
    monkeypatch.setitem(sys.modules, package, None)
    assert not credentials.available()
    for call in (lambda: sign(made("image/png"), "image/png", LABEL), lambda: read(signed, "image/png")):
        with pytest.raises(UserError, match=r'pip install "elegan\[provenance\]"'):
            call()
    assert read(made("image/png"), "image/png") is None


# nothing on the network


def test_signing_and_reading_open_no_socket(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a socket")

    monkeypatch.setattr(socket, "socket", refuse)
    for mime in EMBEDS:
        assert read(sign(made(mime), mime, LABEL), mime).state == "trusted"


def test_it_all_works_where_there_is_no_network(tmp_path):
    unshare = shutil.which("unshare")
    if not unshare or subprocess.run([unshare, "-rn", "true"], capture_output=True).returncode:
        pytest.skip("this system can't take the network away from a process")
    (tmp_path / "a.png").write_bytes(made("image/png"))
    program = (
        "import sys, pathlib\n"
        "from elegan.provenance import Label\n"
        "from elegan.provenance.credentials import *\n"
        "content = pathlib.Path(sys.argv[1]).read_bytes()\n"
        "print(read(sign(content, 'image/png', Label('elegan 0.1.0 gan')), 'image/png').state)\n"
    )
    command = [unshare, "-rn", sys.executable, "-c", program, str(tmp_path / "a.png")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=60)
    assert done.stdout == "trusted\n", done.stderr


def test_an_address_in_a_file_is_not_called():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        remote = pointing_at(f"http://127.0.0.1:{port}/manifest.c2pa")
        marked = remote + STORE
        assert read(remote, "image/png") is None
        assert read(marked, "image/png").state == "invalid"
        sign(
            made("image/png"), "image/png", LABEL, [Parent(marked, "image/png", "a"), Parent(remote, "image/png", "b")]
        )
        server.settimeout(0.2)
        with pytest.raises(TimeoutError):
            server.accept()
        # The library's own settings do call, so that this server would have heard it.
        server.settimeout(20)
        caller = threading.Thread(target=lambda: suppressed(c2pa.Reader, "image/png", io.BytesIO(marked)))
        caller.start()
        server.accept()[0].close()
    caller.join(20)


def suppressed(function, *arguments):
    with suppress(c2pa.C2paError):
        function(*arguments)


def pointing_at(address):
    """A picture that says that its credentials lie at an address."""

    def remote(builder):
        builder.set_no_embed()
        builder.set_remote_url(address)

    return signed_by_another_program(remote)


def signed_by_another_program(prepare=lambda builder: None):
    """A picture signed with this user's key, but not by elegan."""
    own, target = identity.identity(), io.BytesIO()
    information = c2pa.C2paSignerInfo("es256", own.certificates, own.key, None)
    actions = {"actions": [{"action": "c2pa.created", "digitalSourceType": TRAINED}]}
    manifest = {"assertions": [{"label": "c2pa.actions.v2", "data": actions}]}
    with c2pa.Signer.from_info(information) as signer, c2pa.Builder(manifest) as builder:
        prepare(builder)
        builder.sign(signer, "image/png", io.BytesIO(made("image/png")), target)
    return target.getvalue()
