"""Judge any network: how does it behave when its input turns?"""


def audit() -> None:
    """Placeholder replaced by the audit package."""
