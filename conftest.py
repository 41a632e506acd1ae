"""For every test: the commands that it starts find the code where the test does, and can be interrupted."""

import os
import signal
from pathlib import Path

os.environ["PYTHONPATH"] = str(Path(__file__).parent / "src")

# A shell starts what it puts into the background with SIGINT ignored, and a child inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)
