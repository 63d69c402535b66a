"""Facts as JSON that no page can mistake for markup, and arrays as typed bytes beside it."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

BYTEWISE = "b4"  # float32, all first bytes first, then all second ones, ...
KINDS = {"f4": np.float32, "f8": np.float64, "i4": np.int32, "u1": np.uint8}
ALIGNMENT = 8  # bytes: a typed view starts at a multiple of its item
ARRAY = "$array"  # the key of a reference: [kind, first byte, shape]
_UNSAFE = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})


class Bytewise(NamedTuple):
    """An array that is packed as float32 byte by byte, which compresses better.

    Attributes:
        array: of real numbers.
    """

    array: np.ndarray


class Payload(NamedTuple):
    """What the scripts of a page read.

    Attributes:
        facts: JSON, in which each array is `{"$array": [kind, first byte, shape]}`.
        arrays: all arrays, one after the other, compressed by gzip, in base64.
    """

    facts: str
    arrays: str


def pack(facts: Any) -> Payload:
    """Mappings, lists, texts, numbers, None and NumPy arrays, for a page.

    Equal arrays are packed once. They keep float32, float64, int32 and uint8; other whole numbers
    become int32 and booleans uint8. Only arrays hold numbers that are not finite.

    Raises:
        TypeError: something else.
        ValueError: a number outside an array is not finite.
    """
    blocks: dict[bytes, int] = {}  # each once -> its first byte
    length = 0

    def placed(block: bytes) -> int:
        nonlocal length
        block += b"\0" * (-len(block) % ALIGNMENT)
        if block not in blocks:
            blocks[block] = length
            length += len(block)
        return blocks[block]

    def referred(value: Any) -> Any:
        if isinstance(value, Bytewise):
            parts = value.array.astype("<f4").reshape(-1, 1).view(np.uint8).T
            return {ARRAY: [BYTEWISE, placed(parts.tobytes()), list(value.array.shape)]}
        if isinstance(value, np.ndarray):
            kind, array = _typed(value)
            return {ARRAY: [kind, placed(array.tobytes()), list(value.shape)]}
        if isinstance(value, Mapping):
            return {str(key): referred(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [referred(item) for item in value]
        return value.item() if isinstance(value, np.generic) else value

    text = json.dumps(referred(facts), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return Payload(text.translate(_UNSAFE), compressed(b"".join(blocks)))


def _typed(array: np.ndarray) -> tuple[str, np.ndarray]:
    if array.dtype == bool:
        array = array.astype(np.uint8)
    elif array.dtype.kind in "iu" and array.dtype != np.uint8:
        array = array.astype(np.int32)
    for kind, dtype in KINDS.items():
        if array.dtype.newbyteorder("=") == dtype:
            return kind, np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<")))
    raise TypeError(f"no array of {array.dtype} in a page")


def compressed(data: bytes) -> str:
    """Bytes by gzip, in base64; equal bytes give equal text."""
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()
