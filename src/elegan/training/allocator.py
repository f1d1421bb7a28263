"""glibc's allocator, told to keep its pages: large activations otherwise return to the kernel at every step."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # malloc.h
TOP_PAD = 256 * 2**20


def keep_pages() -> bool:
    """Tell it, for this whole process, and say whether it listened; only glibc does.

    It saves the page faults of a training step and costs memory that isn't given back, so it is for
    processes that do nothing else: the command line calls it, importing elegan never does.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return all([mallopt(M_MMAP_MAX, 0), mallopt(M_TRIM_THRESHOLD, 2**31 - 1), mallopt(M_TOP_PAD, TOP_PAD)])
