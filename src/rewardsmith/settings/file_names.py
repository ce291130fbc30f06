"""Names of files and folders that are not UTF-8: Python can open them, but JSON, YAML and tokenizers cannot name them."""

import sys


def not_utf8(name: str) -> str | None:
    """What is wrong with a name that is not UTF-8, in one line; None for any other.

    Python keeps bytes that it cannot read as half surrogates. Under the locale C with PYTHONUTF8=0, that is all of UTF-8.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        encoding = sys.getfilesystemencoding()
        if encoding != "utf-8":
            return f"Python decodes the name {name!r} as {encoding}; expected UTF-8; set PYTHONUTF8=1"
        return f"the name {name!r} is not UTF-8; expected a name in UTF-8; rename the file or folder"
    return None
