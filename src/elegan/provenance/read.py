"""Labels in: what a file says of its own making.  A label is a claim that anyone can remove or forge."""

import json
import re
from html import unescape
from importlib import import_module
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from safetensors import SafetensorError, safe_open

from elegan.errors import UserError
from elegan.provenance import gif, mp4, xmp
from elegan.provenance.label import TRAINED_DATA, Label

IN_PAGE = re.compile('<meta name="provenance" content="([^"]*)">')
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP")
"""The only ones of Pillow's that strangers' files are read by; another of them starts a program."""
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif")


def read_label(path: Path | str) -> Label | None:
    """The label in a picture, a .mp4, .npz, .onnx, .safetensors, .json or .html file, elegan's or another program's;
    None without one, and of a file of another kind.

    Raises UserError when the file is missing or damaged, or its packet declares entities.
    """
    path = Path(path)
    try:
        if reader := READERS.get(path.suffix.lower()):
            return reader(path)
        packet = _packet(path)
    except UnidentifiedImageError as error:
        if path.suffix.lower() not in PICTURES:
            return None
        raise UserError(f'"{path}" is damaged: it is no picture, as its name says.') from error
    except UserError:
        raise
    except OSError as error:
        raise UserError(f'"{path}" can\'t be read: {(error.strerror or str(error)).lower()}.') from error
    except Exception as error:  # parsers of strangers' files raise whatever they like
        raise UserError(f'"{path}" is damaged, or not what its name says; its label can\'t be read.') from error
    return xmp.parse(packet) if packet else None


def _packet(path: Path) -> str | None:
    if path.suffix.lower() == ".mp4":
        return mp4.extract(path.read_bytes())
    with Image.open(path, formats=FORMATS) as image:
        if image.format == "GIF":
            return gif.extract(path.read_bytes())
        packet = image.info.get("XML:com.adobe.xmp") or image.info.get("xmp")
    return packet.decode("utf-8", errors="replace") if isinstance(packet, bytes) else packet


def _from_arrays(path: Path) -> Label | None:
    with np.load(path, allow_pickle=False) as arrays:
        if "provenance" not in arrays:
            return None
        return Label.from_json(str(arrays["provenance"]))


def _from_onnx(path: Path) -> Label | None:
    try:
        onnx = import_module("onnx")
    except ImportError as error:
        raise UserError(f'"{path}" needs the package onnx to be read; pip install "elegan[export]".') from error
    try:
        model = onnx.load_model(str(path), load_external_data=False)
    except Exception as error:  # the parser's own kinds of error aren't public
        raise ValueError("it is no ONNX model") from error
    said = {entry.key: entry.value for entry in model.metadata_props}
    return Label.from_json(said["provenance"]) if "provenance" in said else None


def _from_json(path: Path) -> Label | None:
    """That of contents.json and of a report."""
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return None
    said = (found.get("label") or found.get("provenance")) if isinstance(found, dict) else None
    return Label.from_json(json.dumps(said))


def _from_page(path: Path) -> Label | None:
    found = IN_PAGE.search(path.read_text(encoding="utf-8", errors="replace"))
    return Label.from_json(unescape(found[1])) if found else None


def _from_weights(path: Path) -> Label | None:
    """What made them, from the head of the file."""
    try:
        with safe_open(path, "np") as tensors:
            made_with = (tensors.metadata() or {}).get("made_with")
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    return Label(made_with, created="", digital_source_type=TRAINED_DATA) if made_with else None


READERS = {
    ".npz": _from_arrays, ".onnx": _from_onnx, ".json": _from_json, ".html": _from_page, ".safetensors": _from_weights,
}  # fmt: skip
