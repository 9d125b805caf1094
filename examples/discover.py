"""Which symmetry does the data have? Shapes that quarter turns keep in their class, and a mirror does not.

python examples/discover.py [STEPS SEEDS TRAIN_SIZE]
"""

import sys

import equivision as ev
from equivision.data import oriented_shapes

STEPS, SEEDS, TRAIN_SIZE = [int(number) for number in sys.argv[1:]] or [150, 3, 120]

data = oriented_shapes(800, group="C4", within="D4", seed=0)
found = ev.discover(
    data, candidates=["C1", "left-right", "C2", "C4", "D4"], budget=STEPS, seeds=SEEDS, train_size=TRAIN_SIZE,
    parameters=10_000, on_trial=lambda trial: print(f"{trial.candidate}: {trial.accuracy:.1%}", flush=True),
)  # fmt: skip
print(found.table())
