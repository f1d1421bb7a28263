"""What signing costs a file: time and bytes, format by format.

    python benchmarks/signing.py [--size 256] [--rounds 40]

Pictures are noise, the worst case of every codec; the formats take turns, so that a busy moment hits them alike.  Times
are medians over rounds, once the keys and the library are there; the keys are the benchmark's own.  The exit status
is 1 where a bar is missed.
"""

import argparse
import io
import os
import statistics
import struct
import sys
import tempfile
import time
import wave
import zipfile
from collections.abc import Callable, Mapping

import numpy as np
from PIL import Image

from elegan.provenance import Label
from elegan.provenance.credentials import read, sidecar, sign, sign_archive

TIME_BAR, SIZE_BAR = 15.0, 8_000
"""Milliseconds, and bytes, of a file."""
LABEL = Label("elegan 0.1.0 r3gan", "0" * 64, 7, "run").for_one_file()


def picture(codec: str, size: int) -> bytes:
    """A picture of noise."""
    pixels = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, codec, **({"lossless": True} if codec == "WEBP" else {}))
    return buffer.getvalue()


def sound(seconds: int = 3) -> bytes:
    """A sound of silence, mono, 16 bits at 16 kHz."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(32_000 * seconds))
    return buffer.getvalue()


def film() -> bytes:
    """The boxes of a film of 1 MB, in which a signer sees no more than a player does before it decodes."""
    boxes = {b"ftyp": b"isom" + bytes(4) + b"isommp41", b"mdat": bytes(1_000_000), b"moov": b""}
    return b"".join(struct.pack(">I4s", 8 + len(body), kind) + body for kind, body in boxes.items())


def archive(files: int = 100) -> bytes:
    """Many pictures of 8 x 8 in one .zip, stored."""
    buffer, content = io.BytesIO(), picture("PNG", 8)
    with zipfile.ZipFile(buffer, "w") as file:
        for number in range(files):
            file.writestr(f"{number:05}.png", content)
    return buffer.getvalue()


class Case:
    """One format: how it is signed, and how long that took."""

    def __init__(self, kind: str, content: bytes, signed: Callable[[bytes], bytes], beside: bool = False) -> None:
        self.kind, self.content, self.signed, self.beside = kind, content, signed, beside
        self.signing: list[float] = []
        self.reading: list[float] = []

    def turn(self) -> None:
        """Sign and read once."""
        start = time.perf_counter()
        result = self.signed(self.content)
        between = time.perf_counter()
        claim = read(self.content, None, result) if self.beside else read(result, None)
        self.reading.append(time.perf_counter() - between)
        self.signing.append(between - start)
        assert claim is not None
        assert claim.state == "trusted", claim
        self.added = len(result) - (0 if self.beside else len(self.content))

    def row(self) -> str:
        """A line of the table."""
        signing, reading = (1e3 * statistics.median(times) for times in (self.signing, self.reading))
        return f"| {self.kind} | {len(self.content):,} | {signing:.1f} | {reading:.1f} | {self.added:,} |"

    def met(self) -> bool:
        """Whether both bars are kept."""
        return 1e3 * statistics.median(self.signing) <= TIME_BAR and self.added <= SIZE_BAR


def cases(size: int) -> list[Case]:
    """All formats; the archive is of many files, and its bars are those of one."""

    def embedded(mime: str) -> Callable[[bytes], bytes]:
        return lambda content: sign(content, mime, LABEL)

    codecs: Mapping[str, str] = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
    found = [Case(f"{codec} {size} px", picture(codec, size), embedded(mime)) for codec, mime in codecs.items()]
    found += [Case("PNG 8 px", picture("PNG", 8), embedded("image/png"))]
    found += [Case("WAV 3 s", sound(), embedded("audio/wav")), Case("MP4 of 1 MB", film(), embedded("video/mp4"))]
    return [*found, Case("sidecar of 1 MB", bytes(1_000_000), lambda content: sidecar(content, LABEL), beside=True)]


def main() -> int:
    """1 where a bar is missed, else 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256, help="edge of the pictures, in pixels")
    parser.add_argument("--rounds", type=int, default=40)
    given = parser.parse_args()
    many = Case("ZIP of 100 PNG, 8 px", archive(), lambda content: sign_archive(content, LABEL))
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ELEGAN_HOME"] = folder
        measured = cases(given.size)
        for number in range(given.rounds + 2):
            for case in [*measured, many]:
                case.turn()
                if number < 2:  # caches and clocks are still waking up
                    case.signing.clear(), case.reading.clear()
    print("| file | bytes | signing, ms | reading, ms | bytes added |\n|---|---|---|---|---|")
    print("\n".join(case.row() for case in [*measured, many]))
    print(f"\nbars: {TIME_BAR:g} ms and {SIZE_BAR:,} bytes a file; the archive is of 100 files, and has no bar")
    missed = [case.kind for case in measured if not case.met()]
    print(f"missed: {', '.join(missed)}" if missed else "met")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
