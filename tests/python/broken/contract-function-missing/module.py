class Clean:
    def clean(self, row: dict) -> dict:
        return row
