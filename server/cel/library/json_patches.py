"""What expressions that make JSON patches have: keys escaped for JSON pointers."""

from server.cel.functions import Library

LIBRARY = Library()

LIBRARY.function("jsonpatch.escapeKey", "string -> string", cost="scan")(
    lambda key: key.replace("~", "~0").replace("/", "~1")
)
