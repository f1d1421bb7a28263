"""The number that a mark carries, kept through errors by the extended binary Golay code.

Golay, "Notes on Digital Coding", Proceedings of the IRE 37, 1949: 12 bits in 24, any two words 8 apart.  That one
number has many words, of which the image chooses, is the idea of Miller, Doërr, Cox, "Applying Informed Coding and
Embedding to Design a Robust High-Capacity Watermark", IEEE Transactions on Image Processing 13(6), 2004.
"""

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from elegan.provenance.watermark.grid import Array

PAYLOAD_BITS, CHECK_BITS, CHOICE_BITS = 16, 12, 8
WORD, LENGTH = 12, 24
WORDS = (PAYLOAD_BITS + CHECK_BITS + CHOICE_BITS) // WORD
CODE_BITS = WORDS * LENGTH
GENERATOR = 0b110001110101
"""x^11 + x^10 + x^6 + x^5 + x^4 + x^2 + 1 divides x^23 + 1: its multiples are the perfect Golay code."""


def encodings(payload: int, key: bytes) -> Array:
    """All ways to write a payload and its check, as 1 and -1, [2^CHOICE_BITS, CODE_BITS]: an image takes the one that
    changes it least.  Raises ValueError for a payload that PAYLOAD_BITS can't hold.
    """
    if not 0 <= payload < 2**PAYLOAD_BITS:
        raise ValueError(f"A payload has {PAYLOAD_BITS} bits, 0 to {2**PAYLOAD_BITS - 1}; this one is {payload}.")
    choices = np.arange(2**CHOICE_BITS)
    bodies = _pads(key) ^ (payload << CHECK_BITS | _check(payload, key))
    messages = bodies << CHOICE_BITS | choices
    return np.concatenate([_words()[messages >> WORD * place & 2**WORD - 1] for place in range(WORDS)], axis=1)


def decode(soft: Array, key: bytes) -> int | None:
    """The payload that explains the values [CODE_BITS] best; None where its check denies it (all but 1 of 4,096).

    Each word is the one of greatest correlation, the most likely one where the noise is Gaussian.
    """
    found = (soft.reshape(WORDS, LENGTH) @ _words().T).argmax(axis=1)
    message = sum(int(word) << WORD * place for place, word in enumerate(found))
    body = message >> CHOICE_BITS ^ int(_pads(key)[message & 2**CHOICE_BITS - 1])
    payload, check = body >> CHECK_BITS, body & 2**CHECK_BITS - 1
    return payload if check == _check(payload, key) else None


def _check(payload: int, key: bytes) -> int:
    digest = hashlib.sha256(b"elegan watermark check 1\0" + key + payload.to_bytes(2, "big")).digest()
    return int.from_bytes(digest[:2], "big") >> 16 - CHECK_BITS


def _pads(key: bytes) -> NDArray[np.int64]:
    """What each choice turns the payload and its check into, by exclusive or."""
    stream = hashlib.shake_256(b"elegan watermark choices 1\0" + key).digest(4 * 2**CHOICE_BITS)
    return np.frombuffer(stream, "<u4").astype(np.int64) & 2 ** (PAYLOAD_BITS + CHECK_BITS) - 1


@lru_cache(maxsize=1)
def _words() -> Array:
    """All words of the code as 1 and -1, [2^WORD, LENGTH], with a parity bit at the end."""
    numbers = np.arange(2**WORD)
    multiples = np.zeros_like(numbers)
    for shift in range(WORD):
        multiples ^= np.where(numbers >> shift & 1, GENERATOR << shift, 0)
    bits: NDArray[np.int64] = multiples[:, None] >> np.arange(LENGTH - 1) & 1
    bits = np.concatenate([bits, bits.sum(axis=1, keepdims=True) % 2], axis=1)
    return (1 - 2 * bits).astype(np.float32)


__all__ = ["CODE_BITS", "PAYLOAD_BITS", "decode", "encodings"]
