"""The version of the package, which plans carry."""

VERSION = "0.1.0"
