"""Settings: what `connector.yaml`, the environment and the command line say, checked; every value keeps its origin."""

from connector.settings.load import Loaded, load_settings
from connector.settings.model import Settings
from connector.settings.origin import Origin

__all__ = ["Loaded", "Origin", "Settings", "load_settings"]
