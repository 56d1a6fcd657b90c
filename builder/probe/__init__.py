"""The part of `builder` that runs inside the sandbox: one file, copied there as text, never imported here."""
