"""``python -m equivision``: the command line."""

import sys

from equivision.cli import main

sys.exit(main())
