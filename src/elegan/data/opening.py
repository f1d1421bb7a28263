"""Any data a user may name, opened by one call."""

from dataclasses import replace
from pathlib import Path

from elegan.data import builtin, styles
from elegan.data.archive import TAR_ENDINGS, ZIP_ENDINGS, archive_files
from elegan.data.arrays import array_file
from elegan.data.assemble import FEWEST, assemble, refuse_bad
from elegan.data.avatars import avatars
from elegan.data.dataset import Data
from elegan.data.folder import folder_files
from elegan.data.found import BadFile, Found, plural, printable, some
from elegan.data.hub import PREFIX, hub_data
from elegan.data.hub_stream import PREFIX as STREAM_PREFIX
from elegan.data.hub_stream import hub_stream
from elegan.data.idx import idx_file, idx_folder, is_idx
from elegan.data.images import SUFFIXES
from elegan.data.layout import arrange
from elegan.data.licence import beside, with_terms
from elegan.data.pairs import HALVES, check_pair, open_sides, whole_shape, with_pairs
from elegan.data.prepare import prepare
from elegan.data.shards import ENDING, expand, is_pattern, open_shards
from elegan.data.sizes import Shape, Size, parse_size
from elegan.errors import UserError, nearest


def open_data(data: str, *, size: Size = None, seed: int = 0, skip_bad: bool = False, pair: str | None = None) -> Data:
    """Open built-in data, a folder, an archive, shards, an array file, an idx file or hub data.

    ``data``: "digits", "digits-styles", "avatars", "ring", "grid"; a path; a pattern of shards like
    "train-{000..099}.tar"; "hf:NAME[:SPLIT]" or "hf-stream:NAME[:SPLIT]".  ``size``: a side like 64, or height x width
    like "48x64".  ``seed`` fixes the split, and the points of ring and grid.  With ``skip_bad`` files that can't be
    used are left out and noted; where images are decoded when they are drawn, others stand in for them.  ``pair``
    makes pairs for translation: "edges" of each image, or "left-to-right" ("right-to-left") halves of each picture; a
    folder of trainA and trainB has them already.  Raises UserError for whatever can't be used.
    """
    skipped: list[BadFile] = []
    opened = read_data(data, size=size, seed=seed, skipped=skipped if skip_bad else None, pair=pair)
    if not skipped:
        return opened
    what = "others stand in for them" if opened.tier == "files" else "left out"
    note = f"{plural(len(skipped), 'image')} can't be used, {what}: {some(skipped)}."
    return replace(opened, notes=(*opened.notes, note))


def read_data(
    data: str,
    *,
    size: Size = None,
    seed: int = 0,
    skipped: list[BadFile] | None = None,
    keep: bool = True,
    pair: str | None = None,
) -> Data:
    """As ``open_data``; a list ``skipped`` receives the files that were left out, even when it raises.

    Without ``keep`` no decoded images are written to the disk.
    """
    shape = parse_size(size)
    check_pair(pair)
    if seed < 0:
        raise UserError(f"The seed is {seed}; it must be 0 or more.")
    if data in ("ring", "grid"):
        if shape:
            raise UserError(f"{data} is made of points, which have no size; leave the size out.")
        return with_pairs(builtin.ring(seed) if data == "ring" else builtin.grid(seed), pair)
    if data == styles.NAME:
        return with_pairs(styles.digits_styles(shape, seed), pair)
    if data.startswith(STREAM_PREFIX):
        return with_pairs(hub_stream(data, shape, skipped), pair)
    found = find(data, shape)
    if pair in HALVES:
        shape = whole_shape(found, shape)
    try:
        return with_pairs(_open(found, shape, seed, skip_bad=skipped is not None, keep=keep), pair)
    finally:
        if skipped is not None:
            skipped += found.bad


def _open(found: Found, shape: Shape | None, seed: int, *, skip_bad: bool, keep: bool) -> Data:
    if found.sides is not None:
        return open_sides(found, shape, seed, skip_bad=skip_bad, keep=keep)
    prepared = prepare(found, shape, skip_bad=skip_bad, keep=keep)
    if not skip_bad:
        refuse_bad(found)
    return assemble(found, prepared, seed)


def find(data: str, shape: Shape | None = None) -> Found:
    """What a name or path holds, before its images are decoded; ``shape`` is for what is drawn at any size."""
    if data == "digits":
        return builtin.digits()
    if data == "avatars":
        return avatars(max(shape) if shape else None)
    if data.startswith(PREFIX):
        return hub_data(data)
    path = Path(data).expanduser()
    if is_pattern(data) and not path.exists():
        shards = expand(data)
        return with_terms(_shards(shards, path.name, data), beside(shards[0]))
    if not data or not path.exists():
        raise UserError(_missing(data))
    try:
        return with_terms(_folder(path) if path.is_dir() else _file(path), beside(path))
    except PermissionError as error:
        raise UserError(f"{error.filename or path} can't be opened; check its permissions.") from error


def _missing(data: str) -> str:
    return (
        f'"{printable(data)}" is neither built-in data ({", ".join(builtin.NAMES)}), nor hub data (hf:NAME), '
        f"nor a file or folder that exists.{nearest(data, builtin.NAMES)}"
    )


def _folder(path: Path) -> Found:
    files = folder_files(path)
    if not any(file.is_image for file in files):
        if shards := [path / file.name for file in files if file.name.endswith(ENDING)]:
            return with_terms(_shards(shards, path.resolve().name, str(path)), files)
        if found := idx_folder(path):
            return with_terms(found, files)
    return with_terms(arrange(files, path.resolve().name, str(path)), files)


def _shards(paths: list[Path], name: str, source: str) -> Found:
    if found := open_shards(paths, name, source):
        return found
    raise UserError(
        f"The shards {printable(source)} hold no images; each sample must be files of one name, as 000017.jpg and "
        "000017.cls."
    )


def _file(path: Path) -> Found:
    name = path.name.lower()
    if name.endswith((".npz", ".npy")):
        return array_file(path)
    if is_idx(name):
        return idx_file(path)
    if name.endswith(ENDING) and (found := _labelled_shard(path)):
        return found
    if name.endswith((*ZIP_ENDINGS, *TAR_ENDINGS)):
        files, notes = archive_files(path)
        found = arrange(files, path.name.split(".")[0], str(path))
        found.notes += notes
        return with_terms(found, files)
    if path.suffix.lower() in SUFFIXES:
        raise UserError(f"{path} is a single image; give a folder of at least {FEWEST} images.")
    raise UserError(
        f"{path} is of no known type; give a folder of images, a .zip, .tar or .tar.gz of one, a .npz or "
        ".npy file, or an idx file (…-images-idx3-ubyte)."
    )


def _labelled_shard(path: Path) -> Found | None:
    """A tar whose samples have labels of their own; any other is an archive of a folder."""
    try:
        found = open_shards([path], path.stem, str(path))
    except UserError:  # the archive's reader says what is wrong
        return None
    return found if found and found.labels is not None else None
