"""Replaces numpy.typing, for annotations."""

from . import dtype as DTypeLike
from . import ndarray as NDArray

__all__ = ["DTypeLike", "NDArray"]
