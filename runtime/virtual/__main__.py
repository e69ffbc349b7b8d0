"""`python -m runtime.virtual --config FILE`: virtual nodes."""

import sys

from runtime.virtual.main import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
