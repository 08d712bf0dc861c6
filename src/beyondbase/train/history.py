"""What a training run did, one row a step."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas


class History(list[dict[str, float]]):
    """Rows of named numbers, oldest first; wall times are never among them, so that equal runs have equal histories."""

    def to_frame(self) -> pandas.DataFrame:
        """The rows as a table with one column a quantity (float64, integers where every value is one)."""
        import pandas  # half a second to import, and most callers only keep the rows

        return pandas.DataFrame.from_records(list(self))
