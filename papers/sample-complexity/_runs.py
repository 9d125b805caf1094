"""The parts that all queues share (``papers/_common``), for the programs of this folder."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))

from papers._common import runs as runs
from papers._common import tables as tables
