"""Charts as inline SVG: drawn by pygal, stripped of scripts and styles, coloured by the page's own CSS.

pygal is pure Python and names every part by a class (3 to 9 kB a chart); matplotlib writes paths with inline
styles that a strict policy forbids, and Vega needs a JavaScript engine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

WIDTH, HEIGHT = 360, 180  # about what a phone shows, so that labels stay readable there
FONT = 12  # as in the style sheet
LABELS = 5  # along the time axis
Values = Sequence[float | None]


def stacked_bars(
    name: str, labels: Sequence[str], series: Mapping[str, Values], show: Callable[[float], str]
) -> str:
    """Return bars over days, one colour for each series. `name` tells screen readers what is drawn."""
    import pygal  # noqa: PLC0415

    return _draw(pygal.StackedBar, name, labels, series, show)


def lines(
    name: str, labels: Sequence[str], series: Mapping[str, Values], show: Callable[[float], str]
) -> str:
    """Return lines over days; a day without a value interrupts its line."""
    import pygal  # noqa: PLC0415

    return _draw(
        pygal.Line, name, labels, series, show, dots_size=2.2, allow_interruptions=True, include_x_axis=True
    )


def _draw(
    kind: Callable[..., Any],
    name: str,
    labels: Sequence[str],
    series: Mapping[str, Values],
    show: Callable[[float], str],
    **options: Any,
) -> str:
    from pygal.style import Style  # noqa: PLC0415

    chart = kind(
        style=Style(
            label_font_size=FONT, major_label_font_size=FONT
        ),  # for the room that labels take; the colours are the page's
        width=WIDTH,
        height=HEIGHT,
        margin=4,
        margin_top=8,
        margin_right=18,
        js=(),
        css=(),
        show_legend=False,
        disable_xml_declaration=True,
        show_minor_x_labels=False,
        x_labels_major=_spaced(labels),
        truncate_label=-1,
        min_scale=3,
        max_scale=5,
        value_formatter=show,
        **options,
    )
    chart.x_labels = list(labels)
    for title, values in series.items():
        chart.add(title, list(values))
    chart.add_xml_filter(lambda root: _tidy(root, name, list(series)))
    return str(chart.render(is_unicode=True))


def _spaced(labels: Sequence[str]) -> list[str]:
    """Return a few labels at even distances, the last one included."""
    step = max(-(-len(labels) // LABELS), 1)
    return list(labels[::-step])[::-1]


def _tidy(root: Any, name: str, series: Sequence[str]) -> Any:
    """Remove scripts, styles, ids and empty layers; turn what pygal's script would show into tooltips."""
    root.attrib.pop("id", None)
    root.set("role", "img")
    root.set("aria-label", name)
    for number, title in enumerate(series):
        for group in root.iter("g"):
            if f"serie-{number} " in f"{group.get('class')} ":
                _name_points(group, title)
                group.set("class", f"series color-{number} {slug(title)}")
    for parent in reversed(list(root.iter())):  # what becomes empty goes as well
        for child in list(parent):
            if _is_idle(child):
                parent.remove(child)
    for element in root.iter():
        _shorten(element)
    return root


def slug(title: str) -> str:
    """Return the class under which the page's CSS colours a series: `left out` as `is-left-out`."""
    return "is-" + "-".join(re.findall(r"[a-z0-9]+", title.lower()))


def _is_idle(element: Any) -> bool:
    """Return whether an element draws nothing: comments, scripts, styles, names of lines, empty groups."""
    tag, kind = element.tag, str(element.get("class"))
    if not isinstance(tag, str):
        return True
    if tag == "title":
        return str(element.get("class")) != "tip"
    hidden = tag == "defs" or "tooltip-overlay" in kind or kind == "background"
    nothing: bool = (tag == "g" and not len(element)) or (
        tag == "rect" and float(element.get("height", 1)) == 0
    )
    return hidden or nothing


def _shorten(element: Any) -> None:
    if element.tag == "title":
        del element.attrib["class"]
    for attribute in ("rx", "ry"):
        element.attrib.pop(attribute, None)
    for attribute, value in element.attrib.items():
        if attribute in {"x", "y", "width", "height", "cx", "cy"}:
            element.set(attribute, f"{float(value):.1f}".removesuffix(".0"))
        elif attribute == "class":
            element.set(attribute, value.replace(" reactive tooltip-trigger", ""))
        elif attribute == "d":
            element.set(attribute, re.sub(r"(\.\d)\d+", r"\1", value))


def _name_points(series: Any, title: str) -> None:
    """Turn the `<desc>` elements that pygal's script would read into one `<title>`, which browsers show."""
    for group in list(series.iter("g")):
        notes = {str(child.get("class")): child for child in group if child.tag == "desc"}
        if "value" not in notes:
            continue
        label, value = notes.get("x_label"), notes["value"]
        tip = value.makeelement("title", {"class": "tip"})
        tip.text = f"{label.text + ': ' if label is not None and label.text else ''}{value.text} {title}"
        for child in notes.values():
            group.remove(child)
        group[0].append(tip)
