"""``python -m equivision.cli``, as torchrun needs it."""

import sys

from equivision.cli import main

sys.exit(main())
