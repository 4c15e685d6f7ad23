"""Read the alerts of the deployment."""

from __future__ import annotations

import yaml

from tests.support.replica import ROOT

PROMETHEUS = ROOT / "deploy/prometheus"
ALERTS = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text(encoding="utf-8"))
RULES = ALERTS["groups"][0]["rules"]
