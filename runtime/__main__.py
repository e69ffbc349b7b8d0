"""`python -m runtime --config FILE`: the node agent."""

import sys

from runtime.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
