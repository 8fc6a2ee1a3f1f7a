class Store:
    def initialize(self, config: dict) -> None:
        raise ConnectionError("the server does not answer")

    def execute(self, key: str) -> str:
        return key
