"""The intermediate representation: dialects, readers, diagnostics, and the reference meaning."""
