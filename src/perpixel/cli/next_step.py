"""The last line of a command: what to do next, to be copied."""

from perpixel.language import say
from perpixel.runtime.shell_words import shell_word


def say_next(*words: object, note: str = "") -> None:
    """Print the command that comes next.

    Args:
        *words: After `perpixel`; a path with blanks gets quotes.
        note: What stands behind the command.

    >>> say_next("evaluate", "runs/my cells")
    Next: perpixel evaluate "runs/my cells"
    """
    print(f"{say('Next: ')}perpixel {' '.join(map(shell_word, words))}{note}")
