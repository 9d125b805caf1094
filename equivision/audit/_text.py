"""The report in words and as a plain-text table."""

from collections.abc import Sequence

from equivision._text import grid
from equivision.audit._moves import contains
from equivision.audit._report import (
    AngleResult,
    AuditReport,
    ElementResult,
    LayerResult,
    MaskResult,
    TrainingCurve,
)
from equivision.audit._words import describe_element, describe_group
from equivision.groups import PlanarGroup, PointGroup, SpatialGroup, inclusion
from equivision.groups._point import SYMBOLS

#: What each action asks of an output.
ACTION_WORDS = {
    "invariant": "stays the same",
    "plane": "moves with the input",
    "regular": "moves and permutes",
    "representation": "moves by its representation",
    "unknown": "not comparable",
}


def number(value: float) -> str:
    """An error: ``0``, ``3.1e-07`` when it is rounding, ``4.2 %`` when it can be seen."""
    if value == 0:
        return "0"
    return f"{value:.1e}" if value < 1e-3 else percent(value)


def superscript(exponent: int) -> str:
    """A whole number as an exponent: ``-7`` becomes ``⁻⁷``."""
    return str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def typeset(value: float, digits: int = 1) -> str:
    """As :func:`number`, with a raised exponent instead of ``e-07``."""
    text = number(value)
    if "e" not in text:
        return text
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    return ("" if mantissa == "1" else f"{mantissa}·") + f"10{superscript(int(exponent))}"


def percent(value: float | None) -> str:
    """A share: ``97.5 %``; a dash for None."""
    return "–" if value is None else f"{100 * value:.1f} %"


def unbroken(text: str) -> str:
    """The same with a number and its unit on one line."""
    return text.replace(" %", "\u00a0%")


def summary(report: AuditReport, *, pretty: bool = False) -> str:
    """The verdict as one sentence, with raised exponents if ``pretty``."""
    group, error = report.acting_group, report.max_error
    worst = max(report.elements, key=lambda element: element.max_error)
    moves = describe_group(group)
    should = "stays the same" if report.output_action == "invariant" else "moves as it should"
    size = typeset(error) if pretty else number(error)
    limit = f"{typeset(report.tolerance, 0) if pretty else f'{report.tolerance:g}'} for {report.dtype}"
    where = describe_element(group, worst.element)
    if report.verdict == "exact":
        return (
            f"exact: under {moves} ({group.name}) the output {should}, to rounding "
            f"(largest relative error {size}, at most {limit})"
        )
    if report.verdict == "inconclusive":
        reason = report.warnings[0].rstrip(".") if report.warnings else "see the numbers"
        return f"inconclusive: the test passes, but proves nothing about {moves} ({group.name}). {reason}"
    if report.verdict == "approximate":
        return (
            f"approximate: under {moves} ({group.name}) the output {should} up to {size} of its size "
            f"({where}); exact would be {limit}"
        )
    part = exact_part(report)
    return (
        f"not equivariant: when the input is {where}, the output is off by up to {size} of its size; "
        f"exact would be {limit}" + (f". Exact under {part} alone" if part else "")
    )


def exact_part(report: AuditReport) -> str:
    """The part of the group under which the output is exact, in words; empty if it is the identity alone."""
    group, exact = report.acting_group, report.exact_elements
    if len(exact) < 2:
        return ""
    for part in _parts_of(group):
        if contains(group, part) and tuple(sorted(inclusion(part, group).images)) == exact:
            return f"{describe_group(part)} ({part.name})"
    return "the elements " + ", ".join(group.element_name(g) for g in exact)


def _parts_of(group: SpatialGroup) -> list[SpatialGroup]:
    """Groups with names that may be inside."""
    if isinstance(group, PointGroup):
        return [PointGroup(symbol) for symbol in SYMBOLS]
    return [PlanarGroup(n, mirror) for n in (4, 2, 1) for mirror in (True, False)]


def table(report: AuditReport) -> str:
    """The whole report as plain text."""
    shape = " x ".join(map(str, report.image_shape))
    head = [
        f"{report.model} under {report.group}: {report.summary}",
        f"{report.num_images} images of {shape}, {report.num_parameters:,} parameters, {report.dtype}",
    ]
    if report.spread is not None:
        head.append(f"for scale: the outputs of two different images differ by {number(report.spread)}")
    head += [f"note: {warning}" for warning in report.warnings]
    parts = ["\n".join(head), _element_table(report)]
    if report.angles:
        parts.append(_angle_table(report))
    if report.layers:
        parts.append(_layer_table(report.layers))
    if report.worst:
        parts.append(_worst_table(report))
    if report.training:
        parts.append(_training_table(report.training))
    return "\n\n".join(parts)


#: Columns for the IoU of single classes in a table that has to fit a console.
MOST_CLASSES = 6


def _answer_heads(mask: MaskResult | None) -> list[str]:
    """The columns that judge classes, or else masks."""
    if mask is None:
        return ["same class", "accuracy"]
    overlaps = mask.iou or ()
    single = [f"IoU {c}" for c in range(len(overlaps))] if len(overlaps) <= MOST_CLASSES else []
    return ["mask error", *(["mean IoU"] if overlaps else []), *single]


def _answer_cells(heads: list[str], result: ElementResult | AngleResult) -> list[str]:
    mask = result.mask
    if mask is None:
        return [percent(result.consistency), percent(result.accuracy)]
    return [number(mask.error), percent(mask.mean_iou), *map(percent, mask.iou or ())][: len(heads)]


def _element_table(report: AuditReport) -> str:
    group, heads = report.acting_group, _answer_heads(report.elements[0].mask)
    rows = [
        [e.name, describe_element(group, e.element), number(e.max_error), number(e.mean_error),
         *_answer_cells(heads, e)]
        for e in report.elements
    ]  # fmt: skip
    text = grid(["element", "input", "max error", "mean error", *heads], rows, left=2)
    if report.stable is not None:
        text += f"\nsame class under every element: {percent(report.stable)} of the images"
    return text


def _angle_table(report: AuditReport) -> str:
    shown = [a for a in report.angles if a.degrees % 15 == 0] or list(report.angles)
    heads = _answer_heads(shown[0].mask)
    rows = [
        [f"{a.degrees:g}°{' *' if a.on_group else '  '}", number(a.max_error), number(a.mean_error),
         *_answer_cells(heads, a)]
        for a in shown
    ]  # fmt: skip
    text = grid(["angle", "max error", "mean error", *heads], rows, left=0)
    return f"{text}\n* a rotation of {report.group}; in between, the input is interpolated"


def _layer_table(layers: Sequence[LayerResult]) -> str:
    rows = []
    for layer in layers:
        error = "–" if layer.max_error is None else number(layer.max_error)
        mark = "" if layer.max_error is None else "exact" if layer.max_error <= layer.tolerance else "differs"
        shape = " x ".join(map(str, layer.shape)) or "–"
        rows.append([layer.name, layer.kind, ACTION_WORDS[layer.action], shape, error, mark])
    text = grid(["layer", "kind", "should", "output", "max error", ""], rows, left=3)
    return "\n".join([text, *(f"{names}: {note}" for names, note in unknown_layers(layers))])


def unknown_layers(layers: Sequence[LayerResult]) -> list[tuple[str, str]]:
    """The layers that cannot be compared, as (names, reason), layers with the same reason together."""
    reasons: dict[str, list[str]] = {}
    for layer in layers:
        if layer.action == "unknown":
            reasons.setdefault(layer.note, []).append(layer.name)
    return [
        (", ".join(names) if len(names) < 4 else f"{names[0]} to {names[-1]} ({len(names)} layers)", note)
        for note, names in reasons.items()
    ]


def _worst_table(report: AuditReport) -> str:
    group = report.acting_group
    rows = []
    for worst in report.worst:
        classes = "–" if worst.predictions is None else " ".join(map(str, worst.predictions))
        label = "–" if worst.label is None else str(worst.label)
        rows.append([str(worst.index), number(worst.error), group.element_name(worst.element), label, classes])
    return grid(["worst image", "error", "element", "label", "classes under every element"], rows, left=0)


def _training_table(curves: Sequence[TrainingCurve]) -> str:
    """Where each curve begins and ends."""
    rows = [
        [c.layer, c.images, f"{c.differences[0]:.1e}", f"{c.differences[-1]:.1e}", f"{c.epochs[0]} to {c.epochs[-1]}"]
        for c in curves
    ]
    return grid(["equivariance logged in training", "images", "first", "last", "epochs"], rows, left=2)
