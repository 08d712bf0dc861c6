"""Pictures of problems where they lie, in a row of a data set or in a file: read when they are wanted, never stored.

`opened` needs Pillow and nothing else, because vLLM's process calls it, too.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datasets import Dataset
    from PIL.Image import Image


@dataclass(frozen=True, eq=False)
class Picture:
    """A reference to a picture: `place` says where it is, in words, and `read` gives the bytes of its file."""

    place: str
    read: Callable[[], bytes]

    @functools.cached_property
    def digest(self) -> str:
        """What the picture is, in 16 hexadecimal digits of its bytes' SHA-256."""
        return hashlib.sha256(self.read()).hexdigest()[:16]

    def open(self) -> Image:
        """The picture, RGB; ValueError where it is none, or Pillow is not here, with its place."""
        try:
            return opened(io.BytesIO(self.read()))
        except ImportError:
            raise ValueError(f"{self.place}: a picture, which needs Pillow: pip install 'beyondbase[vision]'") from None
        except OSError as fault:
            raise ValueError(f"{self.place}: no picture that can be read: {fault}") from None


def opened(file: Any) -> Image:
    """The picture of a file (a path, or bytes as a file), RGB, on white where it is transparent; OSError if none."""
    from PIL import Image

    with Image.open(file) as found:
        if not found.has_transparency_data:
            return found.convert("RGB")
        page = Image.new("RGBA", found.size, "white")
        page.alpha_composite(found.convert("RGBA"))
        return page.convert("RGB")


def rows_of(data: Dataset, field: str | None, where: str, folder: Path) -> Iterator[dict[str, Any]]:
    """Rows of a data set with a `Picture` in `field`, None where a row has none; no picture is decoded."""
    from datasets import Image, Value

    if field not in data.column_names:
        yield from data
        return
    pictures = data.select_columns([field])
    if not isinstance(pictures.features[field], Value):
        pictures = pictures.cast_column(field, Image(decode=False))

    def reader(number: int, place: str) -> Callable[[], bytes]:
        return lambda: of_value(pictures[number][field], folder, place).read()

    for number, fields in enumerate(data.remove_columns(field)):
        place = f"{where}, row {number + 1}, {field}"
        there = pictures[number][field] is not None
        yield {**fields, field: Picture(place, reader(number, place)) if there else None}


def of_value(value: Any, folder: Path, place: str) -> Picture:
    """The picture that a field's value stands for: bytes, a path (from `folder`), base64, or {"bytes", "path"}.

    ValueError for anything else.
    """
    if isinstance(value, Mapping):
        value = value.get("bytes") or value.get("path")
    if isinstance(value, bytes):
        return Picture(place, lambda: value)
    if isinstance(value, str):
        if len(value) < 1024 and (folder / value).is_file():
            return Picture(place, (folder / value).read_bytes)
        try:
            data = base64.b64decode(value, validate=True)
        except ValueError:
            raise ValueError(f"{place}: {value[:80]!r} is no file in {folder}, and no base64") from None
        return Picture(place, lambda: data)
    raise ValueError(f"{place}: a picture is a path or base64, not {type(value).__name__}")
