"""`python -m models.trainer.tuning.launch PARENT COMMAND…`: become a command that ends with its parent.

Linux sends this process a SIGTERM when the parent (its process id) dies, even of SIGKILL, and that stays so
when the process becomes another program. So no trial is left behind by a study that was killed: it saves its
state and ends.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Ask Linux for the signal, see that the parent still lives, and become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(128 + signal.SIGTERM)
    os.execvp(command[0], command)  # noqa: S606 - without a shell is what is wanted


if __name__ == "__main__":
    main()
