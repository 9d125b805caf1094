"""Small pictures without any symmetry."""

import numpy as np

_LETTERS = {
    "F": "....... .#####. .#..... .####.. .#..... .#..... .......",
    "G": "....... .#####. .#..... .#.###. .#...#. .#####. .......",
    "J": "....... .#####. ....#.. ....#.. .#..#.. .####.. .......",
    "R": "....... .####.. .#...#. .####.. .#..#.. .#...#. .......",
}
LETTERS = {
    name: np.array([[pixel == "#" for pixel in row] for row in rows.split()], dtype=float)
    for name, rows in _LETTERS.items()
}  # fmt: skip
F = LETTERS["F"]
