"""The Process Registry: process definitions in git, as a static JSON API and an HTML catalog."""

__version__ = "0.1.0"
