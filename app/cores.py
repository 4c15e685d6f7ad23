"""The number of CPU cores available to this process."""

from __future__ import annotations

import math
import os
from pathlib import Path


def usable_cores(root: Path = Path("/")) -> int:
    """Return the number of cores available, limited by CPU affinity and cgroup quotas.

    Args:
        root: the folder that contains `proc` and `sys`.
    """
    if hasattr(os, "process_cpu_count"):  # Python 3.13
        cores = os.process_cpu_count()
    elif hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count()
    return max(1, min([cores or 1, *(math.ceil(quota) for quota in _quotas(root))]))


def _quotas(root: Path) -> list[float]:
    """Return the CPU quotas, in cores, of this process's cgroups and their ancestors."""
    try:
        memberships = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    quotas = []
    for membership in memberships:
        _, controllers, path = membership.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        tops = (root / "sys/fs/cgroup" / controllers, root / "sys/fs/cgroup/cpu") if controllers else None
        for top in tops or (root / "sys/fs/cgroup",):
            group = top / path.lstrip("/")
            quotas += [_quota(folder) for folder in (group, *group.parents) if folder.is_relative_to(top)]
    return [quota for quota in quotas if quota is not None]


def _quota(folder: Path) -> float | None:
    try:
        if (both := folder / "cpu.max").is_file():  # version 2
            quota, period = both.read_text(encoding="ascii").split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text(encoding="ascii").strip()
            period = (folder / "cpu.cfs_period_us").read_text(encoding="ascii").strip()
        return int(quota) / int(period) if quota != "max" and int(quota) > 0 else None
    except (OSError, ValueError):
        return None
