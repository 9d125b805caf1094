"""Bars with a head at one end or at both: shapes whose stabilisers are known."""

import numpy as np

_HEADS = ("arrow", "hammer", "fork")
#: A bar with one head looks the same only to the mirror along it, one with two also after half a turn.
BARS = (*_HEADS, *(f"double {head}" for head in _HEADS))


def bar(kind: str, part: float) -> np.ndarray:
    """Corners ``[point, (x, y)]`` of the stroke of an upright bar about the origin; part, 0 to 1, varies its heads.

    The stroke goes back over itself where a head branches off.
    """
    wide = 0.45 + 0.2 * part
    head = {
        "arrow": [(0, 1), (-wide, 1 - wide), (0, 1), (wide, 1 - wide)],
        "hammer": [(0, 1), (-wide, 1), (wide, 1)],
        "fork": [(0, 1 - wide), (-wide, 1), (0, 1 - wide), (wide, 1)],
    }[kind.removeprefix("double ")]
    upper = np.array(head, dtype=np.float64)
    return np.concatenate([-upper[::-1] if kind.startswith("double ") else np.array([(0.0, -1.0)]), upper])
