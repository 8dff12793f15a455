"""QR codes."""

import segno

# Modules of white around it, which the standard asks for, and pixels of each module.
BORDER, SCALE = 4, 8


def qr_code(text: str) -> str:
    """Return the QR code of a text as a data URI, which needs no other file."""
    # Level M can still be read if a crease or a stain hides 15 %.
    code = segno.make(text, error="m", micro=False)
    return code.svg_data_uri(scale=SCALE, border=BORDER, light="#fff", omitsize=False)
