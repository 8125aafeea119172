"""The digest of a document, by which a plan names exactly the inputs that it was made from."""

from __future__ import annotations

import hashlib
import json


def digest(document: object) -> str:
    """SHA-256 in hexadecimal of the document's canonical JSON: sorted keys, no blanks, UTF-8.

    `document` holds dictionaries with text keys, lists, texts, numbers, booleans and None; TypeError for others.
    """
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
