"""`python -m vosctl`."""

from vosctl.cli import main

# training's workers import this module again, under another name
if __name__ == "__main__":
    main()
