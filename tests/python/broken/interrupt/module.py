"""Says that it has begun, and goes on for as long as nobody stops it."""

import os


def transform(row: dict) -> dict:
    with open("begun", "w") as begun:
        begun.write("yes")
    while True:
        os.getpid()
