"""A rehearsal of the cloud on one machine: stand-ins for its services, and the commands that use them."""
