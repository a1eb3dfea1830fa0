"""Detect and hide credentials in text; pure."""

from registry.credentials.detect import (
    HIDDEN,
    credential_in,
    credential_of,
    hidden_in,
    hide,
    hide_in_line,
    is_placeholder,
)
from registry.credentials.document_texts import SecretFields, Text, strings_in, suspects_in, texts_in

__all__ = [
    "HIDDEN",
    "SecretFields",
    "Text",
    "credential_in",
    "credential_of",
    "hidden_in",
    "hide",
    "hide_in_line",
    "is_placeholder",
    "strings_in",
    "suspects_in",
    "texts_in",
]
