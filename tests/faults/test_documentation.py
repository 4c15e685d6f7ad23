"""The list of faults in docs/security.md names existing tests."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "security.md"


def test_the_documentation_lists_every_fault_test() -> None:
    # given
    section = PAGE.read_text(encoding="utf-8").partition("## Faults")[2].partition("\n## ")[0]
    listed = re.findall(r"\| `(test_\w+)` \|$", section, re.MULTILINE)
    # when
    others = [path for path in HERE.glob("test_*.py") if path != Path(__file__)]
    written = [
        name for path in others for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    ]
    # then
    assert len(written) >= 20
    assert sorted(listed) == sorted(written)
