"""The errors that a command turns into one line and an exit code (see `contracts.console`)."""


class InputError(ValueError):
    """What the caller gave can't be used: exit code 2.

    The message is one line: what was expected, what came, what to do.
    """


class StageError(RuntimeError):
    """The work failed although its input was good (a full disk, a network that went away): exit code 1.

    The message is one line: what failed, and what to do.
    """
