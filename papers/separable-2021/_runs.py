"""The parts that all queues share (``papers/_common``), for the programs of this folder."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))

from papers._common.runs import QueuedRun as QueuedRun
from papers._common.runs import circumstances as circumstances
from papers._common.runs import claimed as claimed
from papers._common.runs import fit_and_test as fit_and_test
from papers._common.runs import queue_parser as queue_parser
from papers._common.runs import ready_to_train as ready_to_train
from papers._common.runs import save as save
from papers._common.runs import symmetry as symmetry
from papers._common.runs import work as work
from papers._common.tables import Results as Results
from papers._common.tables import head as head
from papers._common.tables import line as line
from papers._common.tables import read_results as read_results
from papers._common.tables import spread as spread
from papers._common.tables import worst_symmetry as worst_symmetry
from papers._common.tables import write_or_check as write_or_check

PAPER = "separable-2021"
