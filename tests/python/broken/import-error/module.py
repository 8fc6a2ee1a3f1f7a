"""Needs what is not there."""

import no_such_package_anywhere


def execute(text):
    return text
