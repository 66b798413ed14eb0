"""Find, prove and profile mail campaigns that no per-address view can see."""

__version__ = "0.1.0"
