"""`python -m vosctl`."""

from vosctl.cli import main

main()
