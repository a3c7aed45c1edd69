"""The command report: the files that it writes and what it prints."""

import json
import stat

from tests.support.report import samples


def test_files_of_the_command(world, tmp_path):
    """The page is closed to others, the numbers are open; nothing is printed, and a second run replaces both."""
    world.warm()
    page, numbers = tmp_path / "report.html", tmp_path / "twitter.prom"
    for _ in range(2):
        done = world.cli("report", "--html", str(page), "--prometheus", str(numbers))
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert stat.S_IMODE(page.stat().st_mode) == 0o600
        assert stat.S_IMODE(numbers.stat().st_mode) == 0o644
    assert page.read_text().startswith("<!doctype html>")
    assert samples(numbers.read_text())
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []
    told = world.cli("report", "--days", "2")
    assert told.returncode == 0
    assert "in 2 days" in told.stdout
    assert json.loads(world.cli("report", "--json").stdout)["days"] == 30


def test_a_file_that_cannot_be_written(world, tmp_path):
    """A folder that is not there: 74 and what to type."""
    done = world.cli("report", "--html", str(tmp_path / "no" / "report.html"))
    assert done.returncode == 74
    assert f"mkdir -p {tmp_path / 'no'}" in done.stderr
