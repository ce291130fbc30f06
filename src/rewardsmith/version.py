"""The one place that holds the version; a test compares it with the top of CHANGELOG.md."""

VERSION = "0.8.0"
