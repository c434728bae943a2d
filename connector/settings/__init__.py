"""Settings: what `connector.yaml`, the environment and the command line say, checked; every value keeps its origin."""

from connector.settings.checks import cross_check
from connector.settings.load import Loaded, load_settings
from connector.settings.model import Settings
from connector.settings.origin import Origin
from connector.settings.units import format_duration, format_size

__all__ = ["Loaded", "Origin", "Settings", "cross_check", "format_duration", "format_size", "load_settings"]
