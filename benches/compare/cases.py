"""The edits of Python modules that are compared, in the order of the table. Nothing is run here."""

from __future__ import annotations

from classes import CLASSES
from functions import FUNCTIONS
from modules import MODULES
from values import VALUES

CASES = [*FUNCTIONS, *CLASSES, *VALUES, *MODULES]
