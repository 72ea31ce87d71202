"""`python -m wattle_gateway`."""

import sys

from wattle_gateway.cli import main

if __name__ == "__main__":
    sys.exit(main())
