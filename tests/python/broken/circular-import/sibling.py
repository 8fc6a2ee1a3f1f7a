from module import execute


def late(text):
    return execute(text)
