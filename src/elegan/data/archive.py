"""The files of a zip or tar archive, read where they lie: nothing is ever written under a name from an archive."""

import tarfile
import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

from elegan.data.found import LARGEST_FILE, EncodedFile, Stamp, check_length, is_hidden, some
from elegan.data.images import Unreadable
from elegan.data.licence import speaks
from elegan.data.tar_index import Member, members, read_at, stamp_of
from elegan.errors import UserError

ZIP_ENDINGS = (".zip",)
TAR_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


def archive_files(path: Path) -> tuple[list[EncodedFile], list[str]]:
    """Every visible file of an archive in the order of names, and notes on what was left out.

    Raises UserError for an archive that is damaged or cut short.
    """
    try:
        files = _files(path)
    except PermissionError:
        raise
    except Exception as error:  # a damaged archive can make its reader raise anything
        raise UserError(
            f"The archive {path} is damaged, cut short or no archive of its kind; copy or download it again."
        ) from error
    outside = [file.name for file in files if _points_outside(file.name)]
    kept = {file.name: file for file in files if not (_points_outside(file.name) or is_hidden(file.name))}
    notes = [f"Left out, for their names point outside of the archive: {some(outside)}."] if outside else []
    return [kept[name] for name in sorted(kept)], notes


def _points_outside(name: str) -> bool:
    path = PurePosixPath(name)
    return path.is_absolute() or ".." in path.parts or bool(PureWindowsPath(name).drive)


def _files(path: Path) -> list[EncodedFile]:
    when = stamp_of(path)
    if path.name.lower().endswith(ZIP_ENDINGS):
        archive = zipfile.ZipFile(path)  # stays open for as long as its files may be read
        return [_zip_file(archive, entry, when) for entry in archive.infolist() if not entry.is_dir()]
    if _is_plain(path):
        return [_plain_tar_file(path, member, when) for member in members(path)]
    return _packed_tar_files(path, when)


def _zip_file(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, when: Stamp) -> EncodedFile:
    def read() -> bytes:
        if entry.flag_bits & 1:
            raise Unreadable("encrypted")
        check_length(entry.file_size)
        try:
            return archive.read(entry)
        except Exception as error:  # as above
            raise Unreadable("damaged in the archive") from error

    return EncodedFile(_clean(entry.filename), read, lambda: (entry.file_size, f"{entry.CRC} {when}"))


def _is_plain(path: Path) -> bool:
    try:
        tarfile.open(path, "r:").close()
    except tarfile.TarError:
        return False
    return True


def _plain_tar_file(path: Path, member: Member, when: Stamp) -> EncodedFile:
    def read() -> bytes:
        return read_at(path, when, member.offset, member.size)

    return EncodedFile(_clean(member.name), read, lambda: (member.size, when[1]))


def _packed_tar_files(path: Path, when: Stamp) -> list[EncodedFile]:
    """A compressed tar can only be read in order, so the wanted files' bytes are kept."""
    with tarfile.open(path, "r:*") as archive:
        files = [_packed_tar_file(archive, member, when) for member in archive if member.isreg()]
        if not _ends_well(archive):
            raise tarfile.ReadError("a damaged header")
    return files


def _ends_well(archive: tarfile.TarFile) -> bool:
    """Whether zeros follow the last member: tarfile takes a damaged header for the end of the archive."""
    archive.fileobj.seek(archive.offset)
    return not any(archive.fileobj.read(tarfile.BLOCKSIZE))


def _packed_tar_file(archive: tarfile.TarFile, member: tarfile.TarInfo, when: Stamp) -> EncodedFile:
    name, content = _clean(member.name), b""
    wanted = (EncodedFile(name, bytes).is_wanted or speaks(name)) and not is_hidden(name)
    if wanted and member.size <= LARGEST_FILE and (stream := archive.extractfile(member)):
        content = stream.read()

    def read() -> bytes:
        check_length(member.size)
        return content

    return EncodedFile(name, read, lambda: (member.size, when[1]))


def _clean(name: str) -> str:
    return str(PurePosixPath(name.replace("\\", "/")))
