"""Import a library without its optional dependencies."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def not_installed(*packages: str) -> Iterator[None]:
    """Hide packages from imports in this context, unless they are already imported.

    Some libraries import every package that they can work with: LightGBM imports scikit-learn, which takes
    longer than all other imports of the service. After the context, the packages can be imported again.
    """
    hidden = [name for name in packages if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # makes imports fail
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
