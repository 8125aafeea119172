"""Catalogue data: devices and models, each figure with its source, date and quality."""
