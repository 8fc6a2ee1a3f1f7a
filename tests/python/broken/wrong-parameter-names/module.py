class Pad:
    def __init__(self, width: int = 8) -> None:
        self.width = width

    def execute(self, text: str) -> str:
        return text.ljust(self.width)
