"""One self-contained page for one report or several: no network, no scripts, readable in light and dark."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from equivision._colours import MASK_COLOURS
from equivision._pages import write_page
from equivision.audit._figures import Series, by_epoch, curves, polar
from equivision.audit._overlay import DIFFERENCE_COLOUR, differences, overlay
from equivision.audit._picture import DIFFERENCE_COLOURS, MAP_COLOURS, Bytes, Picture, png
from equivision.audit._report import APPROXIMATE, AngleResult, AuditReport, LayerResult, MaskResult
from equivision.audit._text import (
    ACTION_WORDS,
    MOST_CLASSES,
    number,
    percent,
    summary,
    typeset,
    unbroken,
    unknown_layers,
)
from equivision.audit._words import describe_element, describe_group, short_element
from equivision.errors import ConfigError
from equivision.filters import grid_action
from equivision.groups import SpatialGroup

#: Colours of the style sheet; more reports than this on one page cannot be told apart.
MOST_REPORTS = 4

_SIGNS = {"exact": "✓", "approximate": "≈", "not equivariant": "✕", "inconclusive": "?"}


def write_html(
    reports: AuditReport | Mapping[str, AuditReport],
    path: str | Path,
    *,
    title: str = "What happens when the input turns?",
) -> Path:
    """Write one page that shows one report, or compares several.

    Args:
        reports: a report, or up to four of them by name.
        path: the HTML file; written under a temporary name and moved there when complete.
        title: heading of the page.

    Returns:
        The path of the page.

    Raises:
        ConfigError: no reports, or too many.
        MissingExtraError: jinja2 is not installed.
        DataError: the file cannot be written.
    """
    named = {reports.model: reports} if isinstance(reports, AuditReport) else dict(reports)
    if not 1 <= len(named) <= MOST_REPORTS:
        raise ConfigError(f"reports holds {len(named)} reports: a page shows 1 to {MOST_REPORTS}; write several pages")
    filters = {
        "number": lambda value: unbroken(typeset(value)),
        "percent": lambda value: unbroken(percent(value)),
    }
    template = ("equivision.audit", "report.html.j2")
    return write_page(path, template, purpose="the page of an audit", filters=filters, title=title, **_page(named))


def _page(named: dict[str, AuditReport]) -> dict[str, Any]:
    """Everything the template needs."""
    first = next(iter(named.values()))
    views = [_view(i, name, report) for i, (name, report) in enumerate(named.items())]
    sweeps = [_series(i, name, report) for i, (name, report) in enumerate(named.items())]
    label = "Polar plot of the relative error of the output by angle. " + " ".join(
        f"{name}: {_marked_words(report)}." for name, report in named.items() if report.angles
    )
    thumbnail = png(first.gallery.image.array)
    spreads = [report.spread for report in named.values() if report.spread]
    return {
        "views": views,
        "groups": sorted({(r.group, describe_group(r.acting_group), len(r.elements)) for r in named.values()}),
        "images": sorted({(r.num_images, " × ".join(map(str, r.image_shape))) for r in named.values()}),
        "polar": polar(
            [s for s in sweeps if s.points], tolerance=max(r.tolerance for r in named.values()),
            spread=max(spreads, default=None), thumbnail=thumbnail, label=label,
        ) if any(s.points for s in sweeps) else "",
        "charts": _charts(named),
        "approximate": APPROXIMATE,
        "narrow": all(len(r.elements) <= 4 for r in named.values()),
        "has_classes": first.stable is not None,
        "has_truth": any(r.mean_iou is not None for r in named.values()),
        "mask_colours": _mask_colours(named),
        "difference_colour": DIFFERENCE_COLOUR,
    }  # fmt: skip


#: What is drawn by angle where it was measured: heading, where it stands, a note.
_CHARTS: tuple[tuple[str, Callable[[AngleResult], float | None], str], ...] = (
    ("Accuracy", lambda a: a.accuracy, "Share of the images that are classified correctly."),
    ("Same answer as upright", lambda a: a.consistency, "Share of the images whose predicted class does not change."),
    ("Mean IoU", lambda a: a.mask and a.mask.mean_iou,
     "Intersection over union with the true masks within the disk, averaged over the classes other than 0."),
    ("Mask error", lambda a: a.mask and a.mask.error,
     "Share of the pixels within the disk whose predicted class does not turn with the image."),
)  # fmt: skip


def _charts(named: dict[str, AuditReport]) -> list[dict[str, str]]:
    """Shares by angle; those of an error, which should be small, on a scale that shows it."""
    charts = []
    for heading, read, note in _CHARTS:
        lines = [line for i, (n, r) in enumerate(named.items()) if (line := _shares(i, n, r, read))]
        if not lines:
            continue
        highest = max(value for line in lines for _, value in line.points)
        top = next(t for t in (0.04, 0.1, 0.2, 0.4, 1.0) if highest <= t) if heading == "Mask error" else 1.0
        svg = curves(lines, label=f"{heading}, from 0 to 360 degrees", top_value=top)
        charts.append({"title": heading, "note": note, "svg": svg})
    return charts


def _mask_colours(named: dict[str, AuditReport]) -> list[tuple[str, str]]:
    """The classes and their colours, for the legend; empty without masks."""
    classes = max((r.gallery.masks.num_classes for r in named.values() if r.gallery.masks), default=0)
    shown = list(enumerate(MASK_COLOURS[: max(0, classes - 1)], start=1))
    step = f" + {len(MASK_COLOURS)} n" if classes - 1 > len(MASK_COLOURS) else ""
    return [(f"class {c}{step}", colour) for c, colour in shown]


def _marked_words(report: AuditReport) -> str:
    marked = [angle for angle in report.angles if angle.on_group and angle.degrees % 360]
    others = [angle for angle in report.angles if not angle.on_group]
    words = [
        f"at most {number(max(angle.mean_error for angle in angles))} {where}"
        for angles, where in ((marked, f"at the rotations of {report.group}"), (others, "in between"))
        if angles
    ]
    return ", ".join(words) or "measured at 0 degrees only"


def _by_angle(report: AuditReport, read: Callable[[AngleResult], float | None]) -> tuple[tuple[float, float], ...]:
    values = {angle.degrees % 360: read(angle) for angle in report.angles}
    return tuple(sorted((degrees, value) for degrees, value in values.items() if value is not None))


def _series(colour: int, name: str, report: AuditReport) -> Series:
    marked = frozenset(angle.degrees % 360 for angle in report.angles if angle.on_group)
    return Series(name, colour, _by_angle(report, lambda angle: angle.mean_error), marked)


def _shares(colour: int, name: str, report: AuditReport, read: Callable[[AngleResult], float | None]) -> Series | None:
    points = _by_angle(report, read)
    if not points:
        return None
    around = (*points, (360.0, points[0][1])) if points[0][0] == 0 else points
    return Series(name, colour, around, _series(colour, name, report).marked)


def _view(colour: int, name: str, report: AuditReport) -> dict[str, Any]:
    """One network on the page."""
    group = report.acting_group
    return {
        "colour": colour,
        "name": name,
        "report": report,
        "sign": _SIGNS[report.verdict],
        "kind": report.verdict.replace(" ", "-"),
        "summary": unbroken(_capital(summary(report, pretty=True))),
        "moves": describe_group(group),
        "elements": [
            {"result": e, "words": describe_element(group, e.element), "grade": _grade(e.max_error, report.tolerance),
             "iou": _overlaps(e.mask),
             "icon": _icon(report.gallery.image.array, e.element, group)}
            for e in report.elements
        ],
        "layers": [_layer_view(layer, group) for layer in report.layers],
        "training": _training(name, report),
        "unknown": unknown_layers(report.layers),
        "broken": report.first_broken_layer,
        "skipped": _skipped_before(report),
        "strip": _strip(report, group),
        "masks": _mask_strip(report, group),
        "worst": [
            {"result": w, "words": describe_element(group, w.element),
             "icons": [_icon(w.picture.array, g, group) for g in range(group.order)]}
            for w in report.worst
        ],
    }  # fmt: skip


def _training(name: str, report: AuditReport) -> list[dict[str, str]]:
    """A chart of the equivariance of all layers by epoch, for each kind of images on which it was logged."""
    charts = []
    for kind, words in (("train", "training images"), ("val", "validation images")):
        found = [curve for curve in report.training if curve.images == kind]
        lines = [
            Series(c.layer, 0, tuple(zip(map(float, c.epochs), c.differences, strict=True)), frozenset()) for c in found
        ]
        if lines:
            label = f"Difference of the layers of {name} by epoch, on {words}. " + " ".join(
                f"{c.layer}: {c.differences[0]:.1e} at first, {c.differences[-1]:.1e} at last." for c in found
            )
            charts.append({"title": f"On the {words}", "svg": by_epoch(lines, label=label)})
    return charts


def _overlaps(mask: MaskResult | None) -> str:
    """The IoU of the single classes, if they are few."""
    values = [] if mask is None or mask.iou is None else list(mask.iou)
    return unbroken(" · ".join(map(percent, values))) if len(values) <= MOST_CLASSES else ""


def _skipped_before(report: AuditReport) -> int:
    """How many layers before the first broken one could not be compared."""
    broken = report.first_broken_layer
    before = report.layers[: report.layers.index(broken)] if broken else ()
    return sum(layer.action == "unknown" for layer in before)


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _layer_view(layer: LayerResult, group: SpatialGroup) -> dict[str, Any]:
    errors = layer.max_errors or ()
    return {
        "result": layer,
        "action": ACTION_WORDS[layer.action],
        "shape": " × ".join(map(str, layer.shape)),
        "cells": [
            {"text": _short(error), "grade": _grade(error, layer.tolerance),
             "hint": f"{describe_element(group, g)}: {number(error)}"}
            for g, error in enumerate(errors)
        ],
    }  # fmt: skip


def _grade(error: float, tolerance: float) -> str:
    """Colour class of an error."""
    if error <= tolerance:
        return "exact"
    return "small" if error <= APPROXIMATE else "large"


def _short(error: float) -> str:
    """An error in a narrow cell."""
    if 0 < error < 1e-3:
        return typeset(error, 0)
    return "0" if error == 0 else f"{100 * error:.0f} %" if error >= 0.1 else percent(error)


def _strip(report: AuditReport, group: SpatialGroup) -> dict[str, Any]:
    """The layer pictures of one network: a column for every element."""
    gallery = report.gallery
    every = range(group.order)
    rows = []
    for layer in gallery.layers:
        maps = [_coloured(p, MAP_COLOURS) for p in layer.maps]
        rows.append(
            {
                "layer": layer,
                "maps": [png(m) for m in maps],
                "backs": [png(moved(m, group.inverse(g), group)) for g, m in zip(every, maps, strict=True)],
                "differences": [png(_coloured(p, DIFFERENCE_COLOURS)) for p in layer.differences],
            }
        )
    return {
        "names": [short_element(group, g) for g in every],
        "words": [describe_element(group, g) for g in every],
        "inputs": [_icon(gallery.image.array, g, group) for g in every if group.dimension == 2],
        "rows": rows,
        "predictions": gallery.predictions,
        "label": gallery.label,
    }


def _mask_strip(report: AuditReport, group: SpatialGroup) -> dict[str, Any] | None:
    """The masks of one network, laid over the moved input: a column for every element."""
    masks = report.gallery.masks
    if masks is None:
        return None
    images = [moved(masks.image.array, g, group) for g in range(group.order)]
    truths = [moved(masks.truth.array, g, group) for g in range(group.order)] if masks.truth else []
    return {
        "images": [png(image) for image in images],
        "predicted": [png(overlay(i, p.array[..., 0])) for i, p in zip(images, masks.predicted, strict=True)],
        "differences": [
            png(differences(i, p.array[..., 0] > 0)) for i, p in zip(images, masks.differences, strict=True)
        ],
        "truth": [png(overlay(i, t[..., 0])) for i, t in zip(images, truths, strict=True)] if truths else None,
        "errors": [element.mask.error for element in report.elements if element.mask is not None],
    }


def _coloured(picture: Picture, colours: Bytes) -> Bytes:
    return colours[picture.array[..., 0]]


def moved(pixels: Bytes, g: int, group: SpatialGroup) -> Bytes:
    """Pixels ``[height, width, channels]`` moved as :func:`equivision.functional.act` moves an image."""
    return np.moveaxis(grid_action(np.moveaxis(pixels, -1, 0), group, g), 0, -1)


def _icon(pixels: Bytes, g: int, group: SpatialGroup) -> str:
    """An input that has been moved; nothing for a volume, of which the report has no picture that can be moved."""
    return png(moved(pixels, g, group)) if group.dimension == 2 else ""
