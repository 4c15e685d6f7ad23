"""Importing a library without the optional packages that it would import too."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def not_installed(*packages: str) -> Iterator[None]:
    """Let what is imported meanwhile find that packages are not installed, unless they are imported already.

    Some libraries import whatever they could work with: LightGBM alone takes scikit-learn, which takes longer
    than all else that the service imports. Afterwards the packages can be imported as ever.
    """
    hidden = [name for name in packages if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # how Python marks what cannot be imported
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
