"""The doors: what each path takes and answers. One module for each kind of client, over one `Service`."""

from fastapi import APIRouter

from serving.doors.health import make_health_doors
from serving.doors.predict import make_predict_doors
from serving.service import Service


def make_doors(service: Service) -> APIRouter:
    """Lay the routes of a server; of two with the same path the first counts."""
    doors = APIRouter()
    for make in (make_health_doors, make_predict_doors):
        doors.include_router(make(service))
    return doors
