"""Top-level domains by another road: the file itself, without the program's loader."""

from pathlib import Path

ALL = {
    line.strip()
    for line in (Path(__file__).parents[2] / "data" / "tlds.txt").open(encoding="utf-8")
    if line[:1] not in "#\n"
}
