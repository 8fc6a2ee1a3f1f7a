"""A plugin that imports what is not there."""

import no_such_package_anywhere


def execute(text: str) -> str:
    return no_such_package_anywhere.trim(text)
