def execute(text):
    return (text
