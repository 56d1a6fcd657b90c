"""Alternatives, one file each, found by file name (`builder.plugins`)."""
