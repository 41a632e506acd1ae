"""Before the model is there, the server lives but isn't ready."""

import asyncio

import httpx
import pytest

from serving.app import create_app
from serving.loading import Loading
from serving.settings import Settings


def test_until_the_model_is_loaded_the_server_lives_but_is_not_ready(tiny_bundle):
    settings = Settings(model=str(tiny_bundle), vertex_health_route="/ping")

    async def ask():
        transport = httpx.ASGITransport(
            create_app(settings)
        )  # which doesn't start the lifespan: nothing loads
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return [await client.get(path) for path in ("/healthz", "/readyz", "/ping", "/model")] + [
                await client.post("/predict", files={"file": b"x"})
            ]

    alive, *others = asyncio.run(ask())
    assert alive.status_code == 200
    for answer in others:
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert "loading" in answer.json()["error"]


def test_a_failure_is_kept_and_told(tmp_path):
    async def load():
        failed = asyncio.Event()
        loop = asyncio.get_running_loop()
        settings = Settings(model=str(tmp_path))
        loading = Loading(settings, on_failure=lambda: loop.call_soon_threadsafe(failed.set))
        loading.start()
        await asyncio.wait_for(failed.wait(), 60)
        return loading

    loading = asyncio.run(load())
    with pytest.raises(ValueError, match=r"bundle\.json"):
        raise loading.error
