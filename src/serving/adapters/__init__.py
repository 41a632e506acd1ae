"""The server's application for platforms that call a function instead of opening a port.

Each adapter only translates: the doors, their limits and their statuses are those of `serving.app`.
"""
