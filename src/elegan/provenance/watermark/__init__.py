"""An invisible mark in the pixels, which only this user's key finds: keyed spread spectrum.

The idea is that of Cox, Kilian, Leighton, Shamoon, "Secure Spread Spectrum Watermarking for Multimedia", IEEE
Transactions on Image Processing 6(12), 1997: a little in each of many directions, all known to the owner alone.

grid.py     an image of any size as one canonical square, equally busy everywhere
carrier.py  the key's directions in that square, and the sign that each is to have
embed.py    the change of least energy that gives them their signs
detect.py   how many signs are right, and how often chance does as well
windows.py  where a mark may lie in what was cropped, shifted or mirrored
code.py     the number that the mark carries
key.py      the key's file
"""

from elegan.provenance.watermark.code import PAYLOAD_BITS
from elegan.provenance.watermark.detect import FOUND, Mark, detect, detect_many
from elegan.provenance.watermark.embed import SMALLEST, embed
from elegan.provenance.watermark.key import key, known_key

__all__ = ["FOUND", "PAYLOAD_BITS", "SMALLEST", "Mark", "detect", "detect_many", "embed", "key", "known_key"]
