"""`python -m wattle_hil` is `wattle-hil`."""

import sys

from wattle_hil.cli import main

if __name__ == "__main__":
    sys.exit(main())
