"""The best bundle of a data set so far: what the gate compares the next one with."""

from typing import ClassVar

from pydantic import Field, FiniteFloat

from contracts import storage
from contracts.documents import Document
from contracts.verdict import Verdict


class Champion(Document):
    """`models/<dataset>/champion.json`."""

    file_name: ClassVar[str] = "champion.json"
    made_by: ClassVar[str] = "python -m models.trainer.gate"

    dataset: str
    bundle: str = Field(description="its folder; a relative one counts from this document's own folder")
    digest: str = Field(description="of the bundle's files: `ModelBundle.digest`")
    metrics: dict[str, FiniteFloat] = Field(description="of the test split that it was judged on")
    verdict: Verdict = Field(description="the latest of it; the bundle has it, too")

    @property
    def name(self) -> str:
        """The bundle's folder's own name."""
        return storage.last_part(self.bundle)

    def uri(self, folder: str) -> str:
        """Where the bundle is, seen from the `folder` that holds this document."""
        return storage.resolve(self.bundle, folder)
