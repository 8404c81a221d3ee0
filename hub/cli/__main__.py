"""`python -m hub.cli`: the `preau` command without the script."""

from . import main

main()
