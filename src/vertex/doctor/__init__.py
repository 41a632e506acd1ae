"""`python -m vertex doctor`: what could keep a stage from running, told before it costs anything.

Every check is a function from what is asked (`question`) to findings (`finding`). Those of this machine need
no network; those of the project ask Google's REST services (`google_api`), and only read.
"""
