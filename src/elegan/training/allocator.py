"""glibc's allocator, told to keep its pages: large activations otherwise return to the kernel at every step."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # malloc.h
TOP_PAD = 256 * 2**20

_state = {"kept": False}


def keep_pages() -> bool:
    """Tell it, for this whole process, and say whether it listened; only glibc does.

    It saves the page faults of a training step and costs memory that isn't given back, so it is for
    processes that do nothing else: the command line calls it, importing elegan never does.
    """
    if is_glibc():
        mallopt = ctypes.CDLL(None).mallopt
        _state["kept"] = all(
            [mallopt(M_MMAP_MAX, 0), mallopt(M_TRIM_THRESHOLD, 2**31 - 1), mallopt(M_TOP_PAD, TOP_PAD)]
        )
    return _state["kept"]


def pages_are_kept() -> bool:
    """Whether it was told and has listened in this process."""
    return _state["kept"]


def is_glibc() -> bool:
    """Whether this process runs on glibc, the one C library that would listen; nothing is changed to find out."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        library = ctypes.CDLL(None)
    except OSError:
        return False
    return hasattr(library, "gnu_get_libc_version") and hasattr(library, "mallopt")
