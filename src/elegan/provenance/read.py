"""Labels in: what a file says of its own making.  A label is a claim that anyone can remove or forge."""

import zipfile
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from elegan.errors import UserError
from elegan.provenance import gif, mp4, xmp
from elegan.provenance.label import Label


def read_label(path: Path | str) -> Label | None:
    """The label of a .png, .jpg, .webp, .gif, .mp4 or .npz file, elegan's or another program's; None without one.

    Raises UserError when the file is missing, damaged or of another kind, or its packet declares entities.
    """
    path = Path(path)
    try:
        if path.suffix.lower() == ".npz":
            return _from_arrays(path)
        packet = _packet(path)
    except UnidentifiedImageError as error:
        raise UserError(f'"{path}" is no picture or .npz file that can be read.') from error
    except (ValueError, SyntaxError, EOFError, zipfile.BadZipFile, Image.DecompressionBombError) as error:
        raise UserError(f'"{path}" is damaged: {error}.') from error
    except OSError as error:
        raise UserError(f'"{path}" can\'t be read: {(error.strerror or str(error)).lower()}.') from error
    return xmp.parse(packet) if packet else None


def _packet(path: Path) -> str | None:
    if path.suffix.lower() == ".mp4":
        return mp4.extract(path.read_bytes())
    with Image.open(path) as image:
        if image.format == "GIF":
            return gif.extract(path.read_bytes())
        packet = image.info.get("XML:com.adobe.xmp") or image.info.get("xmp")
    return packet.decode("utf-8", errors="replace") if isinstance(packet, bytes) else packet


def _from_arrays(path: Path) -> Label | None:
    with np.load(path, allow_pickle=False) as arrays:
        if "provenance" not in arrays:
            return None
        return Label.from_json(str(arrays["provenance"]))
