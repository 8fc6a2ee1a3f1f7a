class Module:
    def __init__(self, other) -> None:
        self.other = other

    def execute(self) -> None:
        pass
