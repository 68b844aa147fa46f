"""`python -m perpixel` is the command line."""

from perpixel.cli import run

if __name__ == "__main__":
    run()
