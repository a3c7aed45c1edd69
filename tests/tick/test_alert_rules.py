"""The alert rules for Prometheus: each number that they name is written, and each finding has its rule."""

import re
from datetime import UTC, datetime

import yaml

from src.config import ROOT
from src.watch.facts import Code
from src.watch.report import measures
from src.watch.report.prometheus import as_prometheus

RULES = ROOT / "deploy" / "alerts.rules.yaml"


def rules():
    """The rules of the file, all groups together."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def test_every_number_is_written(world):
    """A rule over a number that nobody writes would never fire."""
    world.warm()
    written = as_prometheus(measures.read(world.settings, datetime.now(UTC), 30), world.settings)
    families = set(re.findall(r"^# TYPE (\w+) gauge$", written, re.MULTILINE))
    named = {name for rule in rules() for name in re.findall(r"twitter_manager_\w+", rule["expr"])}
    assert named
    assert named <= families


def test_every_finding_has_its_rule():
    """The rules are those of the program's own alerts, and no name in them is invented."""
    named = [name for rule in rules() for name in re.findall(r'reason\{name="([^"]*)"\}', rule["expr"])]
    assert sorted(named) == sorted(Code)


def test_the_form_of_rules():
    """Each has a name of its own, a severity and a summary."""
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    for rule in rules():
        assert rule["labels"]["severity"] in {"info", "warning", "critical"}
        assert rule["annotations"]["summary"].endswith(".")
