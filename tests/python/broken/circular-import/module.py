from sibling import late


def execute(text):
    return late(text)
