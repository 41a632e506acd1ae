"""What is to be deployed to a target."""

from dataclasses import dataclass

from contracts.bundle import ModelBundle
from vertex.settings import Settings


@dataclass(frozen=True)
class Order:
    """A blessed bundle, and as what it is to be served."""

    settings: Settings
    model: str
    """As it was named: its folder, or a champion.json, which the server reads itself."""
    bundle: ModelBundle
    service_account: str | None
    """What the server runs as."""
    key_secret: str | None
    """Secret Manager's, with the API key: SECRET or SECRET:VERSION."""
    allow_buckets: tuple[str, ...] = ()
    """That requests may name images in."""

    @property
    def account(self) -> str:
        """What the server runs as, or the account that deploy/terraform makes for it."""
        return self.service_account or f"chrysalis-serving@{self.settings.project}.iam.gserviceaccount.com"
