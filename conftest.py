"""For every test: the commands that it starts find the code where the test itself does."""

import os
from pathlib import Path

os.environ["PYTHONPATH"] = str(Path(__file__).parent / "src")
