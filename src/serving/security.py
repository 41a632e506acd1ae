"""Headers of every answer: the page runs only what this server sends, and nobody frames it."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

IMAGES: Final = "img-src 'self' blob:"

POLICY: Final = (
    f"default-src 'none'; script-src 'self'; style-src 'self'; {IMAGES}; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

DOCS_POLICY: Final = POLICY.replace(IMAGES, "img-src 'self' data:")
"""Swagger UI draws its icons from data: addresses of its own style sheet."""

HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",  # what older browsers know of frame-ancestors
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
    "cache-control": "no-cache",  # ask again each time: the page of a new version must not meet an old script
}


_FIXED: Final = [(name.encode(), value.encode()) for name, value in HEADERS.items()]


def policy_of(path: str) -> str:
    """What the page at a path may load and run."""
    return DOCS_POLICY if path == "/docs" or path.startswith("/docs/") else POLICY


class SecurityHeaders:
    """ASGI middleware that adds the path's policy, and those of `HEADERS` that the answer hasn't."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", [])
                own = {name for name, _ in headers}
                policy = (b"content-security-policy", policy_of(scope["path"]).encode())
                message["headers"] = [*headers, policy, *(pair for pair in _FIXED if pair[0] not in own)]
            await send(message)

        await self.app(scope, receive, send_with_headers)
