"""The one exception that the command line shows without a traceback."""


class LabError(Exception):
    """Something a person has to know or do; the message says what happened, where, and what to do next."""
