"""For every test: the commands that it starts find the code where the test does, and can be interrupted.

Nor do they know of a project in the cloud, whatever the shell and .env name.
"""

import os
import signal
from pathlib import Path

os.environ["PYTHONPATH"] = str(Path(__file__).parent / "src")

os.environ["PYTHON_DOTENV_DISABLED"] = "true"
for name in [name for name in os.environ if name.startswith("CHRYSALIS_")]:
    del os.environ[name]

# A shell starts what it puts into the background with SIGINT ignored, and a child inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)
